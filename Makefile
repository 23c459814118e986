# Everything runs from .venv, which the targets make for themselves:
#
#   make train                        learn Connect Four from nothing, and watch it
#   make train ARGS="--minutes 60"    ... for longer; any option of `ludens train` goes into ARGS
#   make test                         the tests of every change      (ARGS="-k solver")
#   make test WORKERS=4               ... in so many processes instead of two; 0 for a debugger
#   make test-all                     the slow ones too            (ARGS="--cov" for coverage)
#   make lint                         ruff and mypy
#   make bench                        the measurements of docs/benchmarks.md
#   make clean                        .venv and caches; runs/ is kept

PYTHON ?= python3.11
PRESET ?= connect_four
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WORKERS ?= 2
ARGS   ?=

PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup train test test-all lint format bench clean

help:
	@sed -n 's/^#  *make /make /p' Makefile

setup: $(STAMP)

# The stamp is younger than both files once they are installed; after that no target here needs
# the network, not even when a file's date changes and its versions do not (which is why there is
# no build isolation: it would fetch setuptools anew). The pip of Python 3.11 is new enough.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 && $(PYTHON) -c '' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' does not run, and Ludens needs Python 3.11." >&2; \
	  echo "      Install it (Debian, Ubuntu: python3.11 and python3.11-venv; or pyenv, uv)," >&2; \
	  echo "      or name it: make PYTHON=/path/to/python3.11 $(or $(MAKECMDGOALS),setup)" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "make: Ludens needs Python 3.11, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
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
