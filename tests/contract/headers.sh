#!/bin/sh
# Every public header compiles alone, as C11 and as C++17, without a warning.
set -eu
include=$1
work=$2
mkdir -p "$work"
for header in "$include"/switchgear/*.h; do
    name=$(basename "$header")
    echo "#include <switchgear/$name>" >"$work/alone.c"
    cp "$work/alone.c" "$work/alone.cpp"
    cc -std=c11 -Wall -Wextra -pedantic -Werror -I"$include" -c "$work/alone.c" -o "$work/alone.o"
    c++ -std=c++17 -Wall -Wextra -pedantic -Werror -I"$include" -c "$work/alone.cpp" -o "$work/alone.o"
    echo "$name: ok"
done
