#!/usr/bin/env bash
# Makes bonito-tiny from nothing: run.sh DATA_DIR OUT_DIR
# Each step goes on from what an interrupted one left in OUT_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=${1:?usage: run.sh DATA_DIR OUT_DIR} out=${2:?usage: run.sh DATA_DIR OUT_DIR}
mkdir -p "$out"

python "$here/pretrain.py" --data-dir "$data" --out "$out/base" --minutes "${BASE_MINUTES:-66}"
[ -s "$out/rows.jsonl" ] ||
    python "$here/ctga.py" --data-dir "$data" --out "$out/rows.jsonl" --rows "${ROWS:-30000}"
cat > "$out/qlora.toml" <<TOML
base = "base"
data = "rows.jsonl"
output = "adapter"
rank = 32
alpha = 32
learning_rate = 1e-3
max_grad_norm = 1.0
batch = 24
steps = ${QLORA_STEPS:-480}
input_tokens = 192
output_tokens = 96
save_every = 100
TOML
bonito-local train bonito "$out/qlora.toml"
python "$here/export.py" --base "$out/base" --adapter "$out/adapter" --out "$out/bonito-tiny.gguf"
python "$here/evaluate.py" --data-dir "$data" --model "$out/bonito-tiny.gguf" \
    --passages "${PASSAGES:-500}" |
    tee "$out/evaluation.json"
