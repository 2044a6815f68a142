#!/usr/bin/env bash
# Trains one adapter within a time: train.sh WORK OUT CONFIG SECONDS
# WORK/kit/BASE.gguf becomes the checkpoint WORK/BASE first. The adapter is packed into OUT as it
# is saved. A run that is not done SECONDS after the start is told to stop, and leaves a checkpoint.
set -euo pipefail
usage="usage: train.sh WORK OUT CONFIG SECONDS"
work=${1:?$usage} out=${2:?$usage} config=${3:?$usage} limit=${4:?$usage}
# shellcheck source=recipes/gpu/env.sh
. "$(dirname "$0")/env.sh"
name=$(basename "$config" .toml)
ending=${ENDING:-25}       # seconds for the last checkpoint, and for packing the adapter
starting=${STARTING:-25}   # seconds from the command to the first step, once all is in tokens
cp "$config" "$work/$name.toml"
base=$(sed -n 's/^base = "\(.*\)".*/\1/p' "$config")
[ -s "$work/$base/config.json" ] ||
    bonito convert "$work/kit/$base.gguf" --to checkpoint -o "$work/$base"
say "$name: the base is a checkpoint"

# `steps` becomes what the speed of a short trial allows.
seconds=$((limit - ending - starting))
[ -s "$work/$name.settled" ] || "$python" -P "$here/settle.py" "$work/$name.toml" \
    --until "$seconds" --started "$SECONDS" --most "${TRAIN_SECONDS:-360}" --trial "${TRIAL:-40}" \
    --record "$work/$name.settled"
say "$name: $(tr '\n' ' ' <"$work/$name.settled")"

files=(adapter_model.safetensors adapter_config.json training.json log.jsonl loss.svg)
pack_adapter() {
    [ -e "$work/$name/loss.svg" ] && publish "$out/$name.tar" "$work/$name" "${files[@]}"
}
(
    packed=
    while sleep "${PUBLISH_SECONDS:-45}"; do
        saved=$(stat -c %Y "$work/$name/adapter_model.safetensors" 2>/dev/null || true)
        [ "$saved" = "$packed" ] || { pack_adapter && packed=$saved; }
    done
) &
packing=$!
trap 'kill "$packing" 2>/dev/null || true' EXIT

online=()
grep -q '"air_gap": true' "$work/preflight.json" || online=(--online)
left=$((limit - SECONDS - ending))
if [ "$left" -le "$starting" ]; then
    say "$name: no time is left to train"
    exit 1
fi
status=0
timeout --preserve-status --signal=TERM --kill-after=$((ending / 2)) "$left" \
    "$python" -P -m bonito_local train bonito "$work/$name.toml" "${online[@]}" || status=$?
kill "$packing" 2>/dev/null || true
wait "$packing" 2>/dev/null || true
say "$name: the training ended with status $status (143: stopped in time, with a checkpoint)"
pack_adapter
[ "$status" = 0 ] || [ "$status" = 143 ]
