#!/bin/sh
# The PHP package preloaded as its README says. Usage: preload.sh PHP PACKAGE LIBRARY-FOLDER
set -eu
here=$(dirname "$0")
user=""
[ "$(id -u)" = 0 ] && user="-d opcache.preload_user=root"
export LD_LIBRARY_PATH="$3"
# shellcheck disable=SC2086
answer=$("$1" -d opcache.enable_cli=1 -d "ffi.preload=$2/switchgear.h" \
    -d "opcache.preload=$2/preload.php" $user "$here/preload_test.php")
echo "$answer"
[ "$answer" = preloaded ]
