# bonito-local on a CPU: docker build -f docker/cpu.Dockerfile -t bonito-local .
# llama.cpp is built for the machine that builds the image; -DGGML_NATIVE=OFF makes an image that
# runs on any x86-64 or ARM64 machine, at some cost in speed.
FROM python:3.13-slim AS build
# hadolint ignore=DL3008 # Debian keeps one version of a package: a pin would soon not be found.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF"
ENV CMAKE_ARGS=${CMAKE_ARGS} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/bonito
COPY . /source
RUN /opt/bonito/bin/pip install --constraint /source/constraints.txt /source

FROM python:3.13-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 bonito
COPY --from=build /opt/bonito /opt/bonito
ENV PATH="/opt/bonito/bin:$PATH" HF_HUB_OFFLINE=1
USER 1000
WORKDIR /work
ENTRYPOINT ["bonito-local"]
CMD ["doctor"]
