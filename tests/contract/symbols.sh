#!/bin/sh
# Core needs nothing but memory functions from outside; the shared library exports the functions the
# headers declare and nothing else.
set -eu
core=$1
shared=$2
include=$3
sanitized=$4
status=0

own=$(nm -g --defined-only "$core" | awk 'NF == 3 {print $3}' | sort -u)
wanted=$(nm -u "$core" | awk 'NF == 2 {print $2}' | sort -u)
for symbol in $wanted; do
    case "$symbol" in
    memcpy | memset | memmove | _GLOBAL_OFFSET_TABLE_ | __stack_chk_fail) continue ;;
    __asan* | __ubsan* | __tsan* | __gcov*) [ "$sanitized" = yes ] && continue ;;
    esac
    if ! echo "$own" | grep -qx "$symbol"; then
        echo "core needs $symbol from outside"
        status=1
    fi
done

exported=$(nm -D --defined-only "$shared" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort -u)
declared=$(cat "$include"/switchgear/types.h "$include"/switchgear/panel.h \
    "$include"/switchgear/circuit.h "$include"/switchgear/observe.h "$include"/switchgear/retry.h \
    "$include"/switchgear/gate.h \
    2>/dev/null | sed 's|/\*.*\*/||' | grep -oE '\bswg_[a-z_]+(\(|;)' | grep -E '\($|profile' | tr -d '(;' | sort -u)
for symbol in $exported; do
    echo "$declared" | grep -qx "$symbol" || { echo "$symbol is exported but no header declares it"; status=1; }
done
for symbol in $declared; do
    case "$symbol" in swg_*_work) continue ;; esac
    echo "$exported" | grep -qx "$symbol" || { echo "$symbol is declared but not exported"; status=1; }
done
exit $status
