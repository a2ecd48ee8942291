#!/bin/sh
# Who may include whom: include/ <- core <- store <- policy, observe; programs see include/ only.
set -eu
root=$1
status=0
check() { # check FOLDER ALLOWED-PATTERN
    [ -d "$root/$1" ] || return 0
    found=$(grep -rnE '^#include ("(core|store|policy|observe|fleet|curl|src)/|<switchgear/)' "$root/$1" \
        --include='*.c' --include='*.h' | grep -vE "#include [<\"]($2)/" || true)
    if [ -n "$found" ]; then
        echo "$1 may include only $2:"
        echo "$found"
        status=1
    fi
}
check src/core 'core|switchgear/types.h|switchgear'
check src/store 'core|store|switchgear'
check src/policy 'core|store|policy|switchgear'
check src/observe 'core|store|observe|switchgear'
check src/curl 'switchgear'
check src/fleet 'fleet|switchgear'
check programs 'switchgear'
# core sees no public header but the shared values
if grep -rnE '#include <switchgear/' "$root/src/core" | grep -v 'switchgear/types.h'; then
    echo "core may include only switchgear/types.h of the public headers"
    status=1
fi
# the machines know neither time nor memory nor errors of the system
if grep -rnE '#include <(time|stdlib|stdio|errno|unistd|pthread|string)\.h>' "$root/src/core"; then
    echo "core is pure: no clock, no allocation, no errno, no input or output"
    status=1
fi
exit $status
