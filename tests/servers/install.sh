#!/bin/bash
# Installs what slapd.sh needs (slapd, ldap-utils, openssl) from Debian or Ubuntu when it is missing.
# Run as root, or as a user who may use sudo without a password. The distribution's own server is
# neither started now nor at the next boot: only throw-away servers of the tests are wanted.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

missing=()
command -v slapd >/dev/null || missing+=(slapd)
command -v ldapsearch >/dev/null || missing+=(ldap-utils)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -eq 0 ]; then
  echo "nothing to install"
  exit 0
fi

fail() {
  echo "install.sh: $1" >&2
  exit 69
}
command -v apt-get >/dev/null || fail "${missing[*]} missing, and there is no apt-get; install them by hand"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  { command -v sudo >/dev/null && sudo -n true 2>/dev/null; } ||
    fail "${missing[*]} missing; run as root, or allow sudo without a password"
  as_root=(sudo -n)
fi

# While this policy stands, package scripts may not start anything. One of the machine's own is kept.
POLICY=/usr/sbin/policy-rc.d
placed=
restore() { [ -z "$placed" ] || "${as_root[@]}" rm -f "$POLICY"; }
trap restore EXIT
if [ ! -e "$POLICY" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$POLICY" >/dev/null
  "${as_root[@]}" chmod 755 "$POLICY"
  placed=1
fi

install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}
# Package lists of a fresh image are absent or stale.
install || { "${as_root[@]}" apt-get update && install; } || fail "apt-get could not install ${missing[*]}"

case " ${missing[*]} " in
*" slapd "*)
  if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now slapd >/dev/null 2>&1 || true
  fi
  ;;
esac
echo "installed ${missing[*]}"
