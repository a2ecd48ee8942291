#!/bin/sh
# ./run, with everything it calls replaced: what is mistyped is named before anything is built, each verb asks for the
# packages it needs and no more, and an installed library can be found.
set -eu
source=$1
work=$2
cli=$3
bench=$4 # empty: not built
rm -rf "$work"
mkdir -p "$work/stubs" "$work/tree"
cp "$source/run" "$work/tree/run"
calls=$work/calls

stub() { # stub NAME, its body from stdin
    {
        echo '#!/bin/sh'
        echo "echo \"$1 \$*\" >>'$calls'"
        cat
    } >"$work/stubs/$1"
    chmod +x "$work/stubs/$1"
}
stub cmake <<'TXT'
[ "$1" != --preset ] || { mkdir -p "build/$2" && echo CMAKE_INSTALL_LIBDIR:PATH=lib >"build/$2/CMakeCache.txt"; }
[ "$1" != --install ] || mkdir -p "$4/lib"
TXT
stub ctest </dev/null
stub apt-get </dev/null
stub ldconfig <<TXT
[ "\${1:-}" != -v ] || echo "$work/known/lib: (from a stub)"
TXT

run() { # run WORDS...: its exit code in $code, what it said in $said
    : >"$calls"
    code=0
    said=$(PATH=$work/stubs:$PATH sh "$work/tree/run" "$@" 2>&1) || code=$?
}

fail() {
    echo "./run $*"
    echo "code $code: $said"
    echo "called: $(cat "$calls")"
    exit 1
}

refuse() { # refuse WHAT-IT-SAYS WORDS...
    wanted=$1
    shift
    run "$@"
    [ $code = 2 ] && [ ! -s "$calls" ] || fail "$*: not refused before it called something"
    case $said in *"$wanted"*) ;; *) fail "$*: does not say '$wanted'" ;; esac
}

refuse "unknown option '--prefix=/x'" install --prefix=/x
refuse "one folder, not '/a' and '/b'" install /a /b
refuse "unknown option '--fast'" bench --fast
refuse "no part 'cores'; there are: all core" bench cores
refuse "no stage 'simpel'; there are: simple" lab simpel
refuse "-L fast" test fast
refuse "-R gate" sanitize gate
refuse "takes nothing" clean build
refuse "no such verb: tset" tset
echo "mistakes: ok"

for verb in test sanitize check bench install clean; do
    for words in "$verb --help" "$verb -h" "help $verb"; do
        # shellcheck disable=SC2086
        run $words
        case $code:$said in "0:./run $verb"*) [ ! -s "$calls" ] || fail "$words" ;; *) fail "$words" ;; esac
    done
done
run
[ $code = 0 ] && [ ! -s "$calls" ] || fail
echo "help: ok"

list() { # list NAME: what ./run believes there is
    sed -n "s/^$1=\"\(.*\)\"/\1/p" "$source/run" | sed "s/\$STAGES/$(sed -n 's/^STAGES="\(.*\)"/\1/p' "$source/run")/"
}
there=$("$cli" lab --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | xargs)
[ "$(list LAB)" = "$there" ] || { echo "stages of the lab: $there; ./run believes: $(list LAB)" && exit 1; }
if [ -n "$bench" ]; then
    for part in $("$bench" --no-such-part 2>&1 | sed -n 's/.*\[\(all|.*\)\].*/\1/p' | tr '|' ' '); do
        case " $(list BENCH) " in *" $part "*) ;; *) echo "./run knows no part $part of the bench" && exit 1 ;; esac
    done
fi
echo "stages and parts: ok"

run install "$work/known"
[ $code = 0 ] || fail install
case "$(tail -n 1 "$calls")" in
"ldconfig ") [ "$(id -u)" = 0 ] || fail install ;;
*) [ "$(id -u)" != 0 ] || fail "install: ld.so was not told" ;;
esac
run install "$work/elsewhere"
case $said in *"PKG_CONFIG_PATH=$work/elsewhere/lib/pkgconfig"*"-rpath,$work/elsewhere/lib"*) ;; *) fail install ;; esac
(cd "$work" && run install relative && [ -d "$work/relative/lib" ])
DESTDIR=$work/stage run install /opt/x
! grep -q ldconfig "$calls" || fail "install: a stage is no place for ld.so"
echo "install: ok"

# In a namespace where none of the packages' programs can be run: which are asked for?
cat >"$work/needs" <<TXT
for path in redis-server spin luac5.1 luacheck valgrind openssl php ruby clang-format; do
    [ ! -e /usr/bin/\$path ] || mount --bind /dev/null "\$(realpath /usr/bin/\$path)"
done
for verb in install bench lab sanitize check test; do
    PATH=$work/stubs:\$PATH sh "$work/tree/run" \$verb >"$work/said" 2>&1 || true
    echo "\$verb:\$(sed -n 's/^missing packages://p' "$work/said")"
done
TXT
unshare -rm true 2>/dev/null || exit 0
touch "$work/tree/build/release/build.ninja"
unshare -rm sh "$work/needs" >"$work/asked"
cat >"$work/wanted" <<'TXT'
install:
bench: redis-server
lab: redis-server
sanitize: lua5.1 lua-check
check: lua5.1 lua-check clang-format
test: lua5.1 lua-check redis-server spin valgrind openssl php-cli ruby
TXT
diff "$work/wanted" "$work/asked"
echo "packages: ok"
