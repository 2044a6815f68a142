#!/usr/bin/env bash
# Packs what the GPU machine needs: pack.sh DATA_DIR BASE.gguf OUT [SECOND_BASE.gguf]
# OUT/parts is what to bring there. Downloads and rows are taken from OUT/files where they are there.
# Runs in the project's environment and takes a network; with REHEARSAL=1 neither llama.cpp's
# sources nor foreign wheels are packed, and no network is needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
usage="usage: pack.sh DATA_DIR BASE.gguf OUT [SECOND_BASE.gguf]"
data=${1:?$usage} base=${2:?$usage} out=${3:?$usage} second=${4:-}
python=${PYTHON:-python}
there=${THERE:-3.12}     # Python of the GPU machine
cuda=${CUDA:-130}        # CUDA release of its PyTorch, as bitsandbytes writes it
files=$out/files
mkdir -p "$files" "$out/downloads"
pinned() { grep -i "^$1==" "$root/constraints.txt" || echo "$1"; }

# The project as it is now: a wheel without the embedded models, and what measures and tests.
rm -rf "$out/checkout" "$files"/bonito_local-*.whl
mkdir -p "$out/checkout/docs"
cp "$root"/{pyproject.toml,README.md,LICENSE} "$out/checkout/"
cp -r "$root/docs/man" "$out/checkout/docs/"
tar -C "$root" --exclude=__pycache__ --exclude='*.gguf' --exclude='bonito_local/assets/*/*' \
    -cf - bonito_local convert tui | tar -C "$out/checkout" -xf -
"$python" -m pip wheel --quiet --no-deps --no-index --no-build-isolation \
    --wheel-dir "$files" "$out/checkout"
rm -rf "$out/checkout"
tar -C "$root" --exclude=__pycache__ -cJf "$files/sources.tar.xz" \
    pyproject.toml benchmarks recipes tests examples/sources
[ -s "$files/ggml.tar.xz" ] || "$python" "$here/prune.py" ggml "$files/ggml.tar.xz"

# What the commands import, of the packages that the machine may lack.
needed=$("$python" "$here/needed.py" "$files/packages.json")
if [ -z "${REHEARSAL:-}" ]; then
    platforms=()
    for tag in manylinux_2_{17,24,27,28,34}_x86_64 manylinux2014_x86_64; do
        platforms+=(--platform "$tag")
    done
    for name in $needed; do
        compgen -G "$files/${name//-/_}-*.whl" >/dev/null && continue
        folder=$files
        [ "$name" = bitsandbytes ] && folder=$out/downloads
        "$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$folder" \
            --python-version "$there" --implementation cp "${platforms[@]}" "$(pinned "$name")"
    done
    compgen -G "$files/bitsandbytes-*.whl" >/dev/null ||
        "$python" "$here/prune.py" wheel "$out"/downloads/bitsandbytes-*.whl "$files" --cuda "$cuda"
    if [ ! -s "$files/llama-cpp-python.tar.xz" ]; then
        "$python" -m pip download --quiet --no-deps --no-binary=:all: --dest "$out/downloads" \
            "$(pinned llama-cpp-python)"
        "$python" "$here/prune.py" sources "$out"/downloads/llama_cpp_python-*.tar.gz \
            "$files/llama-cpp-python.tar.xz"
    fi
fi

# Passages for the benchmark: PubMedQA's, as in benchmarks/RESULTS.md.
[ -s "$files/passages.json" ] || "$python" - "$data" "$files/passages.json" <<'PYTHON'
import json, sys
from pathlib import Path

source = Path(sys.argv[1]) / "eval/pubmedqa/ori_pqal.json"
entries = list(json.loads(source.read_text()).values())[:400]
some = {str(at): {"CONTEXTS": entry["CONTEXTS"]} for at, entry in enumerate(entries)}
Path(sys.argv[2]).write_text(json.dumps(some))
PYTHON

# The mix. Every passage comes back in several rows: xz's largest window finds it again.
if [ ! -s "$files/rows.jsonl.xz" ]; then
    PYTHONPATH="$here/../tiny${PYTHONPATH:+:$PYTHONPATH}" "$python" "$here/../small/rows.py" \
        --data-dir "$data" --out "$out/rows.jsonl" --rows "${ROWS:-150000}" --seed "${SEED:-2}"
    xz -9 --threads=1 --stdout "$out/rows.jsonl" >"$out/rows.part"
    mv "$out/rows.part" "$files/rows.jsonl.xz"
fi

# Bases are read where they lie.
ln -sf "$(realpath "$base")" "$files/base.gguf"
[ -z "$second" ] || ln -sf "$(realpath "$second")" "$files/medium.gguf"

# What starts first comes first: the build of llama.cpp needs no more than part 0.
cd "$files"
names=()
for name in llama-cpp-python.tar.xz ./*.whl sources.tar.xz ggml.tar.xz packages.json passages.json \
    rows.jsonl.xz base.gguf medium.gguf; do
    [ -e "$name" ] && names+=("${name#./}")
done
cd - >/dev/null
"$python" "$here/parts.py" cut "$files" "$out/parts" --mib "${PART_MIB:-58}" "${names[@]}"
