#!/bin/bash
# Starts a throw-away Portal LDAP on the loopback, as any user; needs slapd, ldap-utils and openssl.
#
#   slapd.sh DIR PORT TLSPORT [LDIF]     prints "ready PID" once it answers; an existing DIR is started again
#   kill "$(cat DIR/slapd.pid)"          stops it; kill -9 imitates a crash
#
# ldap://127.0.0.1:PORT (also StartTLS), ldaps://127.0.0.1:TLSPORT; trust DIR/ca.crt.
# Bind as cn=portal,dc=meta with password portalpw; people live under ou=Accounts,dc=meta.
#
#   SIZE_LIMIT=N      hard size limit of the service account (default unlimited); paging does not lift it
#   HIDE=ATTRIBUTE    an attribute that the service account may not read
#   FSYNC=1           durable writes, to measure real write rates
#   SESSIONLOG=TEXT   another session log, e.g. 'syncprov-sessionlog-source "o=changelog"'
set -euo pipefail

if [ $# -lt 3 ]; then
  echo "usage: slapd.sh DIR PORT TLSPORT [LDIF]" >&2
  exit 64
fi
PORT=$2 TLSPORT=$3 LDIF=${4:-}
export PATH=$PATH:/usr/sbin:/sbin
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SCHEMA=$HERE/../../src/sim/ldap/portal.schema
for tool in slapd slapadd openssl; do
  command -v "$tool" >/dev/null || { echo "slapd.sh: $tool is missing; run tests/servers/install.sh" >&2; exit 69; }
done
mkdir -p "$1/db" "$1/log"
DIR=$(cd "$1" && pwd)

if [ ! -f "$DIR/server.crt" ]; then
  (
    cd "$DIR"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=test CA' \
      -keyout ca.key -out ca.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=localhost' \
      -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out server.crt -extfile server.ext
  ) 2>"$DIR/openssl.log" || { cat "$DIR/openssl.log" >&2; exit 1; }
fi

NOSYNC='envflags nosync'
[ -z "${FSYNC:-}" ] || NOSYNC='# durable writes'
HIDDEN='# nothing is hidden'
[ -z "${HIDE:-}" ] || HIDDEN="access to attrs=$HIDE by * none"
cat >"$DIR/slapd.conf" <<C
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include $SCHEMA
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload accesslog
pidfile $DIR/slapd.pid
sizelimit unlimited
TLSCACertificateFile $DIR/ca.crt
TLSCertificateFile $DIR/server.crt
TLSCertificateKeyFile $DIR/server.key

database mdb
suffix "o=changelog"
rootdn "cn=admin,o=changelog"
directory $DIR/log
maxsize 4294967296
$NOSYNC
index objectClass,entryCSN,reqStart,reqEnd,reqResult,reqType,reqDN,reqEntryUUID eq
access to * by dn.exact="cn=portal,dc=meta" read by * none

database mdb
suffix "dc=meta"
rootdn "cn=admin,dc=meta"
rootpw secret
directory $DIR/db
maxsize 8589934592
$NOSYNC
index objectClass,entryUUID,entryCSN,modifyTimestamp,idautoID eq
index idautoPersonSAMAccountName,idautoPersonSystem1ID,idautoPersonSystem5ID eq
index idautoPersonNationalID,idautoPersonStuID,idautoPersonPayrollID eq
index idautoPersonUserNameMV eq,sub
index idautoPersonAppRoles2,idautoPersonAppRoles5,idautoPersonAppRoles6,idautoPersonAppRoles8 eq
index idautoPersonAppRoles10,idautoPersonAffiliation eq
limits dn.exact="cn=portal,dc=meta" size=${SIZE_LIMIT:-unlimited} time=unlimited
access to attrs=userPassword by anonymous auth by dn.exact="cn=portal,dc=meta" write by * none
$HIDDEN
access to dn.subtree="ou=Accounts,dc=meta" by dn.exact="cn=portal,dc=meta" write by * none
access to * by dn.exact="cn=portal,dc=meta" read by * none
overlay accesslog
logdb "o=changelog"
logops writes
logsuccess TRUE
logpurge 07+00:00 01+00:00
overlay syncprov
syncprov-checkpoint 100 10
${SESSIONLOG:-syncprov-sessionlog 10000}
C

if [ ! -f "$DIR/db/data.mdb" ]; then
  # Without its root entry every write to the change log fails silently.
  printf 'dn: o=changelog\nobjectClass: organization\no: changelog\n' |
    slapadd -q -f "$DIR/slapd.conf" -b o=changelog
  printf '%s\n' 'dn: dc=meta' 'objectClass: dcObject' 'objectClass: organization' 'dc: meta' 'o: meta' '' \
    'dn: ou=Accounts,dc=meta' 'objectClass: organizationalUnit' 'ou: Accounts' '' \
    'dn: ou=Groups,dc=meta' 'objectClass: organizationalUnit' 'ou: Groups' '' \
    'dn: cn=portal,dc=meta' 'objectClass: organizationalRole' 'objectClass: simpleSecurityObject' \
    'cn: portal' 'userPassword: portalpw' |
    slapadd -q -f "$DIR/slapd.conf" -b dc=meta
  [ -z "$LDIF" ] || slapadd -q -f "$DIR/slapd.conf" -b dc=meta -l "$LDIF"
fi

# One left by a crash must not look like a server that has started.
rm -f "$DIR/slapd.pid"
slapd -f "$DIR/slapd.conf" -h "ldap://127.0.0.1:$PORT ldaps://127.0.0.1:$TLSPORT" -d 0 >"$DIR/out" 2>&1 </dev/null &
PID=$!

# Whether it listens on both ports itself: somebody else may have been faster, and it ends a little later then.
listens() {
  local port socket
  for port in "$PORT" "$TLSPORT"; do
    socket=$(awk -v "at=0100007F:$(printf %04X "$port")" '$2 == at && $4 == "0A" { print $10 }' /proc/net/tcp)
    [ -n "$socket" ] && find "/proc/$PID/fd" -lname "socket:\\[$socket\\]" 2>/dev/null | grep -q . || return 1
  done
}

for _ in $(seq 1500); do
  kill -0 "$PID" 2>/dev/null || break
  if [ -f "$DIR/slapd.pid" ] && listens; then
    echo "ready $PID"
    exit 0
  fi
  sleep 0.02
done
cat "$DIR/out" >&2
echo "slapd.sh: slapd does not answer on port $PORT" >&2
kill "$PID" 2>/dev/null || true
exit 1
