# bonito-local on an NVIDIA GPU: docker build -f docker/cuda.Dockerfile -t bonito-local:cuda .
# ARCHITECTURES are those of your GPUs (80: A100, 86: RTX 30, 89: RTX 40 and L4, 90: H100).
FROM nvidia/cuda:12.9.1-devel-ubuntu24.04 AS build
# hadolint ignore=DL3008 # Debian keeps one version of a package: a pin would soon not be found.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
ARG ARCHITECTURES="80;86;89;90"
ENV CMAKE_ARGS="-DGGML_CUDA=on -DGGML_NATIVE=OFF -DCMAKE_CUDA_ARCHITECTURES=${ARCHITECTURES}" \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/bonito
COPY . /source
RUN /opt/bonito/bin/pip install --constraint /source/constraints.txt /source

FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1001 bonito
COPY --from=build /opt/bonito /opt/bonito
ENV PATH="/opt/bonito/bin:$PATH" HF_HUB_OFFLINE=1
USER 1001
WORKDIR /work
ENTRYPOINT ["bonito-local"]
CMD ["doctor"]
