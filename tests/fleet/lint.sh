#!/bin/sh
# The scripts as they are sent: accepted by Lua 5.1, nothing unused, no stray global.
set -e
luac5.1 -p "$@"
luacheck -q --no-color --std lua51 --globals redis --read-globals KEYS ARGV \
    --max-line-length 130 "$@"
