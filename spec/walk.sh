#!/bin/sh
# Walks of the model, replayed: walk.sh SPEC_WALKS. SWG_SEED chooses them, SWG_LONG=1 takes more.
set -eu
seed="${SWG_SEED:-$(date +%s)}"
count=400
[ "${SWG_LONG:-}" = 1 ] && count=4000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT
echo "walks $seed to $((seed + count - 1)); again: SWG_SEED=$seed"
"$(dirname "$0")/run" --walks "$count" --seed "$seed" "$folder"
"$1" "$folder"
