#!/bin/sh
# swg_fleet_check as a program: usage: test_program.sh CHECKER SAMPLE
set -eu
check=$1 sample=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "$1" >&2
    cat "$dir/out" "$dir/err" >&2
    exit 1
}
expect() { # expect CODE ARGS
    code=$1 got=0
    shift
    "$check" "$@" >"$dir/out" 2>"$dir/err" || got=$?
    [ "$got" = "$code" ] || fail "$*: exit code $got, not $code"
}
says() {
    grep -q -- "$1" "$dir/out" "$dir/err" || fail "does not say: $1"
}

"$sample" 5 800 >"$dir/good"
expect 0 "$dir/good"
says '^no violation$'
says '^shards 1, servers 1, reporters 5'
expect 0 --json --allow fresh,rollback "$dir/good"
says '"violation_count": 0'

# a server that says it is to be asked again in an hour
sed '400s/"50000"/"3600000000"/' "$dir/good" >"$dir/bad"
expect 1 "$dir/bad"
says "^  $dir/bad:400: reply: .*next: expected 50000, seen 3600000000"
expect 1 --json "$dir/bad"
says '"rule": "reply"'

# one run in two files
head -n 300 "$dir/good" >"$dir/first"
tail -n +301 "$dir/good" >"$dir/second"
expect 0 "$dir/first" "$dir/second"

expect 2
says '^usage:'
expect 2 --allow anything "$dir/good"
says 'fresh, rollback or both'
expect 2 --nonsense "$dir/good"
expect 2 "$dir/nothing"
says 'nothing: No such file'
sed '7s/"sent_ns":/"sent":/' "$dir/good" >"$dir/odd"
expect 2 "$dir/odd"
says "odd:7: sent_ns: expected a whole number"
expect 0 --help
