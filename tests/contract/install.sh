#!/bin/sh
# The installed library needs nothing but pkg-config: the README's example, compiled and run.
set -eu
build=$1
source=$2
work=$3
flags=$4
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
{
    echo '#include <switchgear/switchgear.h>'
    echo 'static int order, charged, later;'
    echo 'static bool charge_card(int which) { (void)which; return ++charged > 0; }'
    echo 'static void charge_later(int which) { (void)which; later++; }'
    echo 'int main(void) {'
    sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '/^```/d' | sed 's|"/shop"|NULL|'
    echo 'swg_panel_close(&panel); return charged == 1 && later == 0 ? 0 : 1; }'
} >"$work/example.c"
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name switchgear.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086
cc -std=c11 -Wall -Wextra -Werror $flags "$work/example.c" -o "$work/example" \
    $(pkg-config --cflags --libs switchgear)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir switchgear) "$work/example"
echo "README example: ok"
