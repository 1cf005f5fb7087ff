#!/bin/bash
# Starts a throw-away PostgreSQL on the loopback; needs postgresql and openssl. As root it runs as user postgres.
#
#   postgres.sh DIR PORT                 prints "ready PID" once it answers; an existing DIR is started again
#   kill -INT "$(head -1 DIR/data/postmaster.pid)"   stops it; kill -9 imitates a crash
#
# postgres://127.0.0.1:PORT with and without TLS, Unix socket in DIR/socket; trust DIR/ca.crt. It answers on
# 127.0.0.2 as well, which is not in its certificate.
# Administrator postgres on the socket, without a password; over TCP everybody needs theirs (SCRAM).
# Nothing is durable. psql -h DIR/socket -p PORT -U postgres
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: postgres.sh DIR PORT" >&2
  exit 64
fi
PORT=$2
BIN=$( { ls -d /usr/lib/postgresql/*/bin 2>/dev/null || true; } | sort -V | tail -1)
[ -n "$BIN" ] || BIN=$(dirname "$(command -v initdb || true)")
for tool in "$BIN/initdb" "$BIN/pg_ctl"; do
  [ -x "$tool" ] || { echo "postgres.sh: initdb and pg_ctl are missing; run tests/servers/install.sh" >&2; exit 69; }
done
command -v openssl >/dev/null || { echo "postgres.sh: openssl is missing; run tests/servers/install.sh" >&2; exit 69; }
mkdir -p "$1/socket"
DIR=$(cd "$1" && pwd)

as=()
if [ "$(id -u)" -eq 0 ]; then
  as=(runuser -u postgres --)
  # The way in is opened, never made readable: above DIR stand folders of the test that are root's alone.
  up=$DIR
  while [ "$up" != / ] && ! "${as[@]}" test -x "$up"; do
    up=$(dirname "$up")
  done
  down=$DIR
  while [ "$down" != "$up" ]; do
    chmod o+x "$down"
    down=$(dirname "$down")
  done
fi

if [ ! -f "$DIR/data/PG_VERSION" ]; then
  (
    cd "$DIR"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=test CA' \
      -keyout ca.key -out ca.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=localhost' \
      -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out server.crt -extfile server.ext
    chmod 600 server.key
    chmod 644 ca.crt server.crt
  ) 2>"$DIR/openssl.log" || { cat "$DIR/openssl.log" >&2; exit 1; }
  mkdir -p "$DIR/data"
  [ ${#as[@]} -eq 0 ] || chown -R postgres "$DIR/data" "$DIR/socket" "$DIR/server.key"
  (cd / && "${as[@]}" "$BIN/initdb" -D "$DIR/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync) \
    >"$DIR/initdb.log" 2>&1 || { cat "$DIR/initdb.log" >&2; exit 1; }
  printf '%s\n' 'local all all trust' 'host all all 127.0.0.0/8 scram-sha-256' >"$DIR/data/pg_hba.conf"
  cat >>"$DIR/data/postgresql.conf" <<C
listen_addresses = '127.0.0.1, 127.0.0.2'
unix_socket_directories = '$DIR/socket'
ssl = on
ssl_ca_file = '$DIR/ca.crt'
ssl_cert_file = '$DIR/server.crt'
ssl_key_file = '$DIR/server.key'
fsync = off
synchronous_commit = off
full_page_writes = off
C
fi

# What it says afterwards goes to its log: a pipe that is held open would keep our caller waiting.
if (cd / && "${as[@]}" "$BIN/pg_ctl" -D "$DIR/data" -w -s -t 30 -l "$DIR/data/log" -o "-p $PORT" start) \
  >"$DIR/out" 2>&1 </dev/null; then
  echo "ready $(head -1 "$DIR/data/postmaster.pid")"
  exit 0
fi
cat "$DIR/out" "$DIR/data/log" >&2
echo "postgres.sh: postgres does not answer on port $PORT" >&2
exit 1
