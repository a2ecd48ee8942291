#!/bin/sh
# The examples compile against the installed library with nothing but pkg-config, and work: against a
# real server, one that half fails, and none; that of the fleet without a Redis, which must not matter.
set -eu
build=$1
source=$2
work=$3
flags=$4
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name switchgear.pc)")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir switchgear)
export LD_LIBRARY_PATH
for example in blocking multi epoll; do
    # shellcheck disable=SC2046,SC2086
    cc -std=gnu11 -Wall -Wextra -Werror $flags "$source/examples/$example.c" -o "$work/$example" \
        $(pkg-config --cflags --libs switchgear-curl)
done
with_fleet=false
if pkg-config --exists switchgear-fleet; then
    with_fleet=true
    # shellcheck disable=SC2046,SC2086
    cc -std=gnu11 -Wall -Wextra -Werror $flags "$source/examples/fleet.c" -o "$work/fleet" \
        $(pkg-config --cflags --libs switchgear-fleet) -pthread
fi
mkfifo "$work/hold"
python3 "$source/tests/calls/hostile.py" <"$work/hold" >"$work/ports" &
server=$!
exec 3>"$work/hold"
member=
trap 'kill $server $member 2>/dev/null || true; rm -f /dev/shm/examples /dev/shm/examples-fleet' EXIT
tries=0
while [ ! -s "$work/ports" ] && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
read -r port _ <"$work/ports"
url=http://127.0.0.1:$port
no_proxy='*'
export no_proxy

await() { # await PATTERN FILE
    waited=0
    while [ $waited -lt 200 ] && ! grep -q "$1" "$2"; do
        sleep 0.1
        waited=$((waited + 1))
    done
}

expect() { # expect WHAT WANTED FOUND
    case $3 in
    $2) echo "$1: ok" ;;
    *)
        echo "$1: $3"
        exit 1
        ;;
    esac
}
expect "blocking, well" "an answer, whole and in one piece" "$("$work/blocking" "$url/ok")"
expect "blocking, ill" "failure after 3 attempts:*status 500" \
    "$("$work/blocking" "$url/status?500" 2>&1 || true)"
expect "blocking, nothing given" "usage:*" "$("$work/blocking" 2>&1 || true)"
expect "multi, a thousand" "1000 ok, 0 failed, 0 rejected, 1000 attempts" "$("$work/multi" "$url/slow?20")"
expect "multi, nobody there" "0 ok, * rejected, * attempts" \
    "$("$work/multi" http://127.0.0.1:1/ 100 || true)"
lines=$(for i in 1 2 3 4 5; do echo "$url/ok?$i"; done | "$work/epoll" | grep -c '^success  200 1')
expect "epoll, from a pipe" 5 "$lines"
for i in 1 2 3; do echo "$url/turns?503,ok,$i"; done >"$work/urls"
expect "epoll, from a file, one retried" "*success  200 2*" "$("$work/epoll" <"$work/urls")"

if $with_fleet; then
    for i in 1 2; do # two workers of one panel: one is its client
        "$work/fleet" redis://127.0.0.1:1 /examples-fleet "$work/absent" >"$work/fleet.out$i" 2>"$work/fleet.err$i" &
        eval "member$i=$!"
        member="$member $!"
        await "client$" "$work/fleet.err1"
    done
    await "connect: Connection refused" "$work/fleet.err1"
    await "^breaker open" "$work/fleet.out2"
    expect "fleet, a worker beside the client" "" "$(cat "$work/fleet.err2")"
    kill -KILL "$member1"
    await "client$" "$work/fleet.err2"
    await "connect: Connection refused" "$work/fleet.err2"
    expect "fleet, the client killed" "*is the panel's client*" "$(cat "$work/fleet.err2")"
    member=$member2
    kill -TERM $member
    status=0
    wait $member || status=$?
    member=
    expect "fleet, ends on a signal" 0 $status
    expect "fleet, on its own without Redis" "*breaker open*switchgear_fleet_up{space=\"default\"} 0*" \
        "$(cat "$work/fleet.out2")"
    expect "fleet, says why" "*127.0.0.1:1: connect: Connection refused*" "$(cat "$work/fleet.err2")"
fi
