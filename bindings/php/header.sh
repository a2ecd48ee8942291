#!/bin/sh
# Prints switchgear.h for PHP's FFI, which has no preprocessor, from the C headers:
#     ./header.sh >switchgear.h
set -eu
include=${1:-$(dirname "$0")/../../include}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/stdbool.h" "$work/stddef.h" "$work/stdint.h"
cat <<'TXT'
#define FFI_SCOPE "switchgear"
#define FFI_LIB "libswitchgear.so.0"
/* Made by header.sh from the C headers. */
int *__errno_location(void);
TXT
for header in types panel circuit; do
    echo "#include <switchgear/$header.h>"
done | ${CC:-cc} -E -P -nostdinc -I"$work" -I"$include" '-D_Static_assert(...)=' -xc - |
    grep -v '^[; ]*$'
