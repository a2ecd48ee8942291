#!/bin/sh
# Is the header PHP reads still what the C headers say? Usage: header.sh PACKAGE INCLUDE WORK
set -eu
mkdir -p "$3"
tr -s '[:space:]' '\n' <"$1/switchgear.h" >"$3/kept"
"$1/header.sh" "$2" | tr -s '[:space:]' '\n' >"$3/made"
if ! diff "$3/kept" "$3/made"; then
    echo "the headers have changed: cd bindings/php && ./header.sh >switchgear.h" >&2
    exit 1
fi
