# Sourced by the scripts that run on the GPU machine; they have set `work`, and most `out`.
# shellcheck shell=bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mkdir -p "$work" && cd "$work" && pwd)
logs=$work/logs
[ -z "${out:-}" ] || out=$(mkdir -p "$out" && cd "$out" && pwd)
python=${PYTHON:-python3}
mkdir -p "$logs"

# `llama` is there once build.sh is done; until then `ggml` gives convert its quantizers.
export PYTHONPATH="$work/llama:$work/site:$work/ggml${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1

say() { printf '%s %4d s  %s\n' "$(date +%T)" "$SECONDS" "$*"; }

# Run the command line; -P keeps the working directory out of the module path.
bonito() { "$python" -P -m bonito_local "$@"; }

# Pack files ($3 and more, in the folder $2) into parts of at most 15 MiB: $1.00, $1.01, ...
# The parts before are replaced when all new ones are written.
publish() {
    local target=$1 folder=$2 fresh
    shift 2
    fresh=$(mktemp -d "$work/publish.XXXXXX")
    tar -C "$folder" -cf - "$@" | split -b 15M -d -a 2 - "$fresh/$(basename "$target")."
    rm -f "$target".[0-9][0-9]
    mv "$fresh"/* "$(dirname "$target")/"
    rmdir "$fresh"
}
