#!/usr/bin/env bash
# Makes bonito-small: run.sh DATA_DIR BASE.gguf OUT_DIR
# BASE.gguf is SmolLM2-135M-Instruct (README.md says where to get it). Each step is skipped where
# its result is already in OUT_DIR, and the training resumes from its last checkpoint.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage="usage: run.sh DATA_DIR BASE.gguf OUT_DIR"
data=${1:?$usage} base=${2:?$usage} out=${3:?$usage}
export PYTHONPATH="$here/../tiny${PYTHONPATH:+:$PYTHONPATH}"  # sources.py and rules.py
mkdir -p "$out"

[ -s "$out/base/config.json" ] ||
    bonito-local convert "$base" --to checkpoint -o "$out/base"
[ -s "$out/rows.jsonl" ] ||
    python "$here/rows.py" --data-dir "$data" --out "$out/rows.jsonl" --rows "${ROWS:-40000}"
[ -s "$out/qlora.toml" ] || cat > "$out/qlora.toml" <<TOML
base = "base"
data = "rows.jsonl"
output = "adapter"
rank = ${RANK:-32}
alpha = ${RANK:-32}
learning_rate = 1e-3
max_grad_norm = 1.0
batch = 32
steps = ${STEPS:-585}
input_tokens = 480
output_tokens = 160
micro_tokens = 3072
weights = "base"        # the base is 4-bit already: no second rounding
share_prompts = true
save_every = 25
seed = 1
TOML
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE} bonito-local train bonito "$out/qlora.toml"
python "$here/build_gguf.py" --base "$out/base" --adapter "$out/adapter" --out "$out/bonito-small.gguf"
python "$here/measure.py" --data-dir "$data" --model "$out/bonito-small.gguf" \
    --passages "${PASSAGES:-500}" | tee "$out/measured.json"
