#!/bin/sh
# The installed library needs nothing but pkg-config: the README's example, compiled and run, against the shared
# libraries and against the archives; and what headers point to is installed with them.
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
lib=$(realpath "$(pkg-config --variable=libdir switchgear)")

compile() { # compile WORDS... FOR THE COMPILER: as example
    # shellcheck disable=SC2086
    cc -std=gnu11 -Wall -Wextra -Werror $flags "$@" -o "$work/example"
}

# shellcheck disable=SC2046
compile "$work/example.c" $(pkg-config --cflags --libs switchgear)
LD_LIBRARY_PATH=$lib "$work/example"
echo "README example: ok"
# shellcheck disable=SC2046
compile "$work/example.c" $(pkg-config --cflags --libs switchgear) "-Wl,-rpath,$lib"
"$work/example"
echo "with an rpath: ok"

for name in $(grep -rhoE 'docs/[a-z/-]+\.md' "$source/include" "$source/README.md" | sort -u) examples/fleet.c; do
    [ -s "$work/prefix/share/doc/switchgear/$name" ] || {
        echo "$name is pointed to, and not installed"
        exit 1
    }
done
echo "documents: ok"

[ -z "$flags" ] || exit 0 # no sanitizer is linked into a static program
# shellcheck disable=SC2046
compile -static "$work/example.c" $(pkg-config --static --cflags --libs switchgear)
"$work/example"
echo "static: ok"
if pkg-config --exists switchgear-fleet; then
    # The linker warns of getaddrinfo, which asks the system's shared libraries.
    # shellcheck disable=SC2046
    compile -static "$source/examples/fleet.c" $(pkg-config --static --cflags --libs switchgear-fleet) 2>"$work/warnings"
    "$work/example" 2>&1 | grep -q '^usage: '
    # shellcheck disable=SC2046
    compile "$source/examples/fleet.c" $(pkg-config --cflags --libs switchgear-fleet) -pthread "-Wl,-rpath,$lib"
    "$work/example" 2>&1 | grep -q '^usage: '
    echo "static, fleet: ok"
fi
if pkg-config --exists switchgear-curl; then
    # libcurl's own archive wants more packages than its development package brings.
    # shellcheck disable=SC2046
    compile "$source/examples/blocking.c" $(pkg-config --cflags switchgear-curl) "-L$lib" -Wl,-Bstatic \
        -lswitchgear-curl -lswitchgear -Wl,-Bdynamic $(pkg-config --libs libcurl) -pthread
    "$work/example" 2>&1 | grep -q '^usage: '
    echo "static, curl: ok"
fi
