#!/usr/bin/env bash
# Builds llama-cpp-python with CUDA into WORK/llama: build.sh WORK
# first.sh starts it in the background. ARCHITECTURE is the GPU's (90: H100 and H200).
set -euo pipefail
work=${1:?usage: build.sh WORK}
# shellcheck source=recipes/gpu/env.sh
. "$(dirname "$0")/env.sh"
[ -d "$work/llama" ] && exit
rm -rf "$work/llama.part" "$work/build.failed"
trap 'touch "$work/build.failed"' ERR
if [ -n "${REHEARSAL:-}" ]; then
    # The environment's own llama.cpp stands in.
    mkdir "$work/llama.part"
    installed=$(PYTHONPATH="" "$python" -P -c \
        'from importlib.util import find_spec as f; print(f("llama_cpp").submodule_search_locations[0])')
    ln -s "$installed" "$work/llama.part/llama_cpp"
    mv "$work/llama.part" "$work/llama"
    exit
fi
toolkit=$(dirname "$(dirname "$(realpath "$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)")")")
[ -e "$toolkit/include/cuda_runtime.h" ] || toolkit=/usr/local/cuda # nvcc may be a wrapper
arguments="-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=${ARCHITECTURE:-90} -DLLAVA_BUILD=off"
arguments+=" -DCMAKE_CUDA_COMPILER=$toolkit/bin/nvcc"

# A toolkit that is only a compiler has no cuBLAS; PyTorch's packages bring it.
libraries=$toolkit/lib64
if [ ! -e "$toolkit/lib64/libcublas.so" ] || [ ! -e "$toolkit/include/cublas_v2.h" ]; then
    brought=$("$python" -P - <<'PYTHON'
import sysconfig
from pathlib import Path

site = Path(sysconfig.get_path("purelib"))
print(next(site.glob("nvidia/*/lib/libcublas.so.*")).parent.parent)
PYTHON
    )
    libraries=$brought/lib
    mkdir -p "$work/cublas"
    ln -sf "$brought"/include/cublas*.h "$work/cublas/"
    export CPATH="$work/cublas${CPATH:+:$CPATH}"
    for name in cublas cublasLt; do
        library=$(compgen -G "$libraries/lib$name.so.*" | head -n 1)
        arguments+=" -DCUDA_${name}_LIBRARY=$library"
    done
fi
# Without the driver's stub, llama.cpp's pool of memory takes plain allocations.
[ -e "$toolkit/lib64/stubs/libcuda.so" ] || arguments+=" -DGGML_CUDA_NO_VMM=on"

rm -rf "$work/llama.source"
mkdir "$work/llama.source"
"$python" -m tarfile -e "$work/kit/llama-cpp-python.tar.xz" "$work/llama.source"
say "building llama.cpp: $arguments"
CMAKE_ARGS=$arguments CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) nice -n 10 \
    "$python" -m pip install --quiet --no-index --no-deps --no-build-isolation --no-compile \
    --target "$work/llama.part" "$work"/llama.source/*/
# Its libraries look for others beside themselves.
for name in cublas cublasLt cudart; do
    for folder in "$libraries" "$toolkit/lib64"; do
        compgen -G "$folder/lib$name.so.*" || true
    done
done | while read -r library; do
    ln -sf "$library" "$work/llama.part/llama_cpp/lib/"
done
PYTHONPATH=$work/llama.part:$PYTHONPATH "$python" -P -c \
    'import llama_cpp; assert llama_cpp.llama_supports_gpu_offload(), "built without CUDA"'
mv "$work/llama.part" "$work/llama"
say "built"
