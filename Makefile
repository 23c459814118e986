# Everything runs from .venv, which the targets make for themselves:
#
#   make train                        learn Connect Four from nothing, and watch it
#   make train ARGS="--minutes 60"    ... for longer; any option of `ludens train` goes into ARGS
#   make test                         the tests of every change      (ARGS="-k solver")
#   make test WORKERS=4               ... in 4 processes instead of two; 0 for a debugger
#   make test-all                     the slow ones too            (ARGS="--cov" for coverage)
#   make setup PYTHON=python3.12      .venv with another Python than the newest of 3.11 to 3.13
#   make format                       what ruff can mend by itself
#   make lint                         ruff and mypy
#   make bench                        the measurements of docs/benchmarks.md
#   make clean                        .venv and caches; runs/ is kept

# The newest that runs and can make an environment: a Debian without python3.13-venv cannot, and a
# shim of pyenv may stand for a Python that is switched off. Asked only when .venv is made.
IS_FIT  = -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11; do \
            if $$name $(IS_FIT) >/dev/null 2>&1; then echo $$name; break; fi; done)
# Not empty: keep the PyTorch that PYTHON has (2.11 or newer), say one built for its graphics card.
# That has a range of its own for setuptools: PyTorch 2.11 and 2.12 want one below 82.
OWN_TORCH ?=
PRESET ?= connect_four
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PINS   := $(VENV)/constraints.txt
WORKERS ?= 2
ARGS   ?=

# Modules are compiled as they are imported: most of what is installed never is, and compiling all
# of it takes a minute.
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile \
              -c $(PINS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup train test test-all lint format bench clean

help:
	@sed -n 's/^#  *make /make /p' Makefile

setup: $(STAMP)

# The stamp is younger than both files once they are installed; after that no target here needs
# the network, not even when a file's date changes and its versions do not (which is why there is
# no build isolation: it would fetch setuptools again). The pip of Python 3.11 is new enough.
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { python='$(PYTHON)'; \
	  [ -n "$$python" ] || { \
	    echo "make: found no Python 3.11, 3.12 or 3.13 that runs and has its venv module." >&2; \
	    echo "      Install one (Debian, Ubuntu: python3 and python3-venv; or pyenv, uv, Homebrew)," >&2; \
	    echo "      or name it: make PYTHON=/path/to/python3.13 $(or $(MAKECMDGOALS),setup)" >&2; \
	    exit 1; }; \
	  "$$python" $(IS_FIT) >/dev/null 2>&1 || { \
	    echo "make: PYTHON=$$python: expected a Python 3.11, 3.12 or 3.13 with its venv module," >&2; \
	    echo "      got: $$("$$python" --version 2>&1 | head -n 1)" >&2; \
	    exit 1; }; \
	  "$$python" -m venv $(if $(OWN_TORCH),--system-site-packages) $(VENV); }
	@if grep -qs 'site-packages = true' $(VENV)/pyvenv.cfg; then \
	    grep -vE '^(torch|setuptools)==' constraints.txt; \
	  else cat constraints.txt; fi > $(PINS)
	$(PIP_INSTALL) setuptools
	$(PIP_INSTALL) --no-build-isolation -e ".[test]"
	@touch $@

train: $(STAMP)
	$(BIN)/ludens train $(PRESET) $(ARGS)

# A file stays whole, for its fixtures. The order is that of the folders: by the number of their tests
# the few and long ones, on Ray, would come last, and one process would wait for the other.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(STAMP)
	$(PYTEST) $(ARGS)

test-all: $(STAMP)
	$(PYTEST) -m "slow or not slow" $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
