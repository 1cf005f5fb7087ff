#!/bin/bash
# The program as it is shipped: no simulator and no way to stop it at a point of a pass in it, help that teaches, a
# configuration it accepts.
set -euo pipefail
program=$(readlink -f "$1")
tests=$(dirname "$(readlink -f "$0")")
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"

fail() {
  echo "shipped.sh: $1" >&2
  exit 1
}

"$program" --help >help
grep -q -- '--plan' help || fail "--help does not name --plan"
grep -qi 'exit codes' help || fail "--help does not name the exit codes"
! grep -q 'demo' help || fail "the demo is in the shipped program"

# What the tests' own program is told by, to end itself in the middle of a pass.
for name in RECONCILE_STOP_AT RECONCILE_POINTS; do
  ! grep -q "$name" "$program" || fail "$name is in the shipped program"
  grep -q "\"$name\"" "$tests/real/stopping.rs" || fail "tests/real/stopping.rs does not know $name: mend this check"
done

"$program" init >/dev/null
[ "$(stat -c %a reconcile.toml)" = 600 ] || fail "the configuration can be read by others"

# Freshly written it names secrets that are not set: an error that says so, and nothing is made.
code=0
"$program" --plan >out 2>err || code=$?
[ "$code" = 78 ] || fail "a configuration without its secrets ends with $code, not 78"
[ ! -s out ] || fail "an error went to stdout"
[ "$(ls)" = "$(printf 'err\nhelp\nout\nreconcile.toml')" ] || fail "something was made: $(ls | tr '\n' ' ')"
echo "shipped program: ok"
