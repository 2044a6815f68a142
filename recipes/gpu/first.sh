#!/usr/bin/env bash
# Trains bonito-small on the GPU machine: first.sh PARTS WORK OUT
# Call it again after every part that arrives: with part 0 it starts to build llama.cpp, and with
# the last it trains. What is to come back is in OUT. LIMIT is in seconds, for the whole call.
set -euo pipefail
usage="usage: first.sh PARTS WORK OUT"
parts=${1:?$usage} work=${2:?$usage} out=${3:?$usage}
# shellcheck source=recipes/gpu/env.sh
. "$(dirname "$0")/env.sh"
limit=${LIMIT:-570}
exec > >(tee -a "$out/first.log") 2>&1

whole=0
"$python" "$here/parts.py" join "$parts" "$work/kit" || whole=$?
[ "$whole" = 0 ] || [ "$whole" = 3 ] || exit "$whole"
# In a session of its own: it goes on when this call ends.
if [ ! -e "$work/build.started" ] &&
    { [ -n "${REHEARSAL:-}" ] || [ -s "$work/kit/llama-cpp-python.tar.xz" ]; }; then
    touch "$work/build.started"
    setsid -f "$here/build.sh" "$work" >"$logs/build.log" 2>&1 </dev/null
    say "the build of llama.cpp has begun"
fi
if [ "$whole" = 3 ]; then
    say "bring the missing parts, and call this again"
    exit
fi

[ -d "$work/site" ] || "$python" -m pip install --quiet --no-index --no-deps --no-compile \
    --target "$work/site" "$work"/kit/*.whl
for name in sources ggml; do
    [ -d "$work/$name" ] || "$python" -m tarfile -e "$work/kit/$name.tar.xz" "$work/$name"
done
[ -s "$work/rows.jsonl" ] || "$python" -c \
    'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' \
    "$work/kit/rows.jsonl.xz" "$work/rows.jsonl"
say "unpacked"
(cd "$work" && "$python" -P "$here/preflight.py" kit/packages.json preflight.json)
say "checked"
status=0
"$here/train.sh" "$work" "$out" "${CONFIG:-$here/bonito-small.toml}" $((limit - SECONDS)) || status=$?
tar -C "$work" -cJf "$out/first-logs.tar.xz" preflight.json logs
[ -d "$work/llama" ] && say "llama.cpp is built" || say "llama.cpp is not built yet"
ls -l "$out"
exit "$status"
