#!/bin/sh
# libswitchgear-fleet exports the functions that the headers fleet*.h declare and nothing else, and of switchgear it
# needs nothing but public functions.
set -eu
shared=$1
include=$2
status=0
exported=$(nm -D --defined-only "$shared" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort -u)
declared=$(cat "$include"/switchgear/fleet*.h | sed 's|/\*.*\*/||' | grep -oE '^[a-z].*\bswg_[a-z]+_[a-z_]+\(' |
    grep -oE 'swg_[a-z_]+\($' | tr -d '(' | sort -u)
if [ "$exported" != "$declared" ]; then
    echo "exported: $exported"
    echo "declared: $declared"
    status=1
fi
if nm -D --undefined-only "$shared" | grep -E 'swg__'; then
    echo "needs internals of switchgear"
    status=1
fi
exit $status
