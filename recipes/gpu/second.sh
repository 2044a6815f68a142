#!/usr/bin/env bash
# Measures the project on the GPU machine, after first.sh: second.sh WORK OUT [CONFIG]
# OUT/second.md and OUT/second.json have what was measured so far, at every moment. With CONFIG
# (bonito-medium.toml), the time that is left trains one adapter more. LIMIT is in seconds.
set -euo pipefail
usage="usage: second.sh WORK OUT [CONFIG]"
work=${1:?$usage} out=${2:?$usage} config=${3:-}
# shellcheck source=recipes/gpu/env.sh
. "$(dirname "$0")/env.sh"
limit=${LIMIT:-570}
exec > >(tee -a "$logs/second.log") 2>&1
measuring=$((limit - 10))
[ -z "$config" ] || measuring=$((limit / 2))
(cd "$work/sources" && "$python" -P "$here/gpu_measure.py" "$work" "$out" --seconds "$measuring" \
    ${ONLY:+--only "$ONLY"})
if [ -n "$config" ]; then
    # What is left of a shorter run is worth less than its start.
    if [ $((limit - SECONDS)) -ge "${LEAST:-120}" ]; then
        "$here/train.sh" "$work" "$out" "$config" $((limit - SECONDS))
    else
        say "too little time is left to train: $((limit - SECONDS)) s"
    fi
fi
tar -C "$work" -cJf "$out/second-logs.tar.xz" logs
ls -l "$out"
