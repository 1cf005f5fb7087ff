#!/bin/bash
# Installs what slapd.sh, postgres.sh and the fuzzers need (slapd, ldap-utils, postgresql, openssl, g++) from Debian
# or Ubuntu when it is missing. Run as root, or as a user who may use sudo without a password. The distribution's own
# servers are neither started now nor at the next boot, and no database cluster is made: only throw-away
# servers of the tests are wanted.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

missing=()
command -v slapd >/dev/null || missing+=(slapd)
command -v ldapsearch >/dev/null || missing+=(ldap-utils)
command -v openssl >/dev/null || missing+=(openssl)
# For libFuzzer.
command -v c++ >/dev/null || missing+=(g++)
# Debian keeps the server's programs out of the PATH, one folder for each version.
if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then
  missing+=(postgresql)
fi
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
CLUSTER=/etc/postgresql-common/createcluster.conf
NO_CLUSTER='create_main_cluster = false # tests/servers/install.sh'
placed= kept=
restore() {
  [ -z "$placed" ] || "${as_root[@]}" rm -f "$POLICY"
  [ -z "$kept" ] || "${as_root[@]}" sed -i '\|# tests/servers/install.sh$|d' "$CLUSTER"
}
trap restore EXIT
if [ ! -e "$POLICY" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$POLICY" >/dev/null
  "${as_root[@]}" chmod 755 "$POLICY"
  placed=1
fi

install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}
# Package lists of a fresh image are absent or stale.
try() { install "$@" || { "${as_root[@]}" apt-get update && install "$@"; } || fail "apt-get could not install $*"; }
case " ${missing[*]} " in
*" postgresql "*)
  # Whether a cluster is made stands in a file of this package; it has to be there before the server comes.
  try postgresql-common
  if ! grep -q '^ *create_main_cluster' "$CLUSTER"; then
    echo "$NO_CLUSTER" | "${as_root[@]}" tee -a "$CLUSTER" >/dev/null
    kept=1
  fi
  ;;
esac
try "${missing[@]}"

for server in slapd postgresql; do
  case " ${missing[*]} " in
  *" $server "*)
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
      "${as_root[@]}" systemctl disable --now "$server" >/dev/null 2>&1 || true
    fi
    ;;
  esac
done
echo "installed ${missing[*]}"
