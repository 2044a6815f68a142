#!/usr/bin/env bash
# Makes bonito-small: run.sh DATA_DIR BASE.gguf OUT_DIR [TEACHER.gguf]
# BASE.gguf is SmolLM2-135M-Instruct (README.md says where to get it); TEACHER.gguf, a larger model
# that follows instructions, writes rows on texts that people wrote no questions on. Each step is
# skipped where its result is already in OUT_DIR, and training resumes from its last checkpoint.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage="usage: run.sh DATA_DIR BASE.gguf OUT_DIR [TEACHER.gguf]"
data=${1:?$usage} base=${2:?$usage} out=${3:?$usage} teacher=${4:-}
export PYTHONPATH="$here/../tiny${PYTHONPATH:+:$PYTHONPATH}"  # sources.py and rules.py
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
mkdir -p "$out"

[ -s "$out/base/config.json" ] ||
    bonito-local convert "$base" --to checkpoint -o "$out/base"
[ -s "$out/rows.jsonl" ] ||
    python "$here/rows.py" --data-dir "$data" --out "$out/rows.jsonl" --rows "${ROWS:-40000}"

# NAME ROWS STEPS RATE [START]: train an adapter, or go on from one.
train() {
    local start=""
    [ -z "${5:-}" ] || start="adapter = \"$5\""
    [ -s "$out/$1.toml" ] || cat > "$out/$1.toml" <<TOML
base = "base"
data = "$2"
output = "$1"
$start
rank = ${RANK:-32}
alpha = ${RANK:-32}
learning_rate = $4
max_grad_norm = 1.0
batch = 32
steps = $3
input_tokens = 480
output_tokens = 160
micro_tokens = 3072
weights = "base"        # the base is 4-bit already: no second rounding
share_prompts = true
save_every = 25
seed = 1
TOML
    bonito-local train bonito "$out/$1.toml"
}

train first rows.jsonl "${STEPS:-585}" 1e-3
if [ -n "$teacher" ] && [ ! -s "$out/taught/rows.jsonl" ]; then
    python "$here/texts.py" --data-dir "$data" --out "$out/texts" --each "${EACH:-65}"
    bonito-local generate "$out/texts" -o "$out/taught" -m "$teacher" -t exqa,ynqa,qa,summarization
fi
[ -s "$out/close.jsonl" ] ||
    python "$here/close.py" --rows "$out/rows.jsonl" --out "$out/close.jsonl" \
        ${teacher:+--taught "$out/taught/rows.jsonl"}
train adapter close.jsonl "${MORE_STEPS:-520}" 5e-4 first

python "$here/importance.py" --base "$out/base" --adapter "$out/adapter" \
    --rows "$out/close.jsonl" --out "$out/importance.gguf"
python "$here/build_gguf.py" --base "$out/base" --adapter "$out/adapter" \
    --imatrix "$out/importance.gguf" --out "$out/bonito-small.gguf"
python "$here/measure.py" --data-dir "$data" --model "$out/bonito-small.gguf" \
    --passages "${PASSAGES:-500}" | tee "$out/measured.json"
