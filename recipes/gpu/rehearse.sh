#!/usr/bin/env bash
# Runs pack.sh, first.sh and second.sh on a CPU with a toy base, 40 rows and two steps:
# rehearse.sh FOLDER, which is new. Needs no GPU and no network. ONLY names the measurements to take.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: rehearse.sh FOLDER}
export REHEARSAL=1 PYTHON=${PYTHON:-python} CUDA_VISIBLE_DEVICES=
export LIMIT=${LIMIT:-3000} # a busy machine may take long
"$PYTHON" "$here/toy.py" "$folder"
ROWS=40 PART_MIB=0.5 "$here/pack.sh" "$folder/data" "$folder/base.gguf" "$folder"
work=$folder/work out=$folder/out
mkdir -p "$work"
cp "$folder/settings.json" "$work/"

# The parts arrive in two calls.
mkdir -p "$folder/arrived"
mv "$folder"/parts/part-0 "$folder/arrived/"
"$here/first.sh" "$folder/arrived" "$work" "$out"
mv "$folder"/parts/part-* "$folder/arrived/"
export CONFIG=$folder/toy.toml TRIAL=2 PUBLISH_SECONDS=1 STARTING=5 ENDING=5
"$here/first.sh" "$folder/arrived" "$work" "$out"
"$here/second.sh" "$work" "$out"

# What is done with the adapter afterwards.
mkdir -p "$folder/adapter"
cat "$out"/toy.tar.* | tar -C "$folder/adapter" -xf -
"$PYTHON" -m bonito_local convert "$work/base" --adapter "$folder/adapter" --quant Q8_0 \
    -o "$folder/toy.gguf"
