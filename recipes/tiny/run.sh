#!/usr/bin/env bash
# Makes bonito-tiny from nothing: run.sh DATA_DIR OUT_DIR
# Each step goes on from what an interrupted one left in OUT_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=${1:?usage: run.sh DATA_DIR OUT_DIR} out=${2:?usage: run.sh DATA_DIR OUT_DIR}
mkdir -p "$out"

python "$here/pretrain.py" --data-dir "$data" --out "$out/base" --minutes "${BASE_MINUTES:-66}"
[ -s "$out/rows.jsonl" ] ||
    python "$here/ctga.py" --data-dir "$data" --out "$out/rows.jsonl" --rows 30000
python -m bonito_local.training.qlora --base "$out/base" --data "$out/rows.jsonl" \
    --out "$out/adapter" --rank 32 --alpha 32 --learning-rate 1e-3 --max-grad-norm 1 \
    --batch-tokens 4096 --buckets 128,192,256 --max-steps "${QLORA_STEPS:-480}" --save-every 100
python "$here/export.py" --base "$out/base" --adapter "$out/adapter" --out "$out/bonito-tiny.gguf"
python "$here/evaluate.py" --data-dir "$data" --model "$out/bonito-tiny.gguf" |
    tee "$out/evaluation.json"
