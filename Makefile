# make demo   install, and turn examples/documents into a dataset
# make test   install what the tests need, and run them
# make check  ruff, mypy and the import contracts
# make clean  remove everything that make created

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test check clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := .cache/src/bonito_local

# On a build machine nothing is kept outside the checkout.
ifeq ($(CI),true)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
endif

demo: $(VENV)/installed
	$(BIN)/bonito-local generate examples/documents --task exqa,ynqa --model bonito-tiny -o demo-out

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

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
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info demo-out

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
