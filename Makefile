# Every target sets up what it needs, once: a stamp in the venv per set of extras, renewed when pyproject.toml changes.
#   make demo | test | fuzz | conformance | lint | types | bench | clean
#   BACKEND=numpy|cupy|strict   what the tests run on          ARGS="..."    more arguments for pytest or the benchmarks
#   PYTHON=/path/to/python      what the venvs are made from   JOBS=2        test processes

PYTHON     ?= python3
VENV       ?= .venv
VENV_BENCH ?= .venv-bench
BACKEND    ?= numpy
JOBS       ?= 2
ARGS       ?=

BIN         = $(VENV)/bin/
PIP_INSTALL = -m pip install -q --disable-pip-version-check --no-input
PYTEST      = $(BIN)python -m pytest -n $(JOBS) --dist worksteal
TEST_VENV   = $(VENV)/.fx-dev $(if $(filter cupy,$(BACKEND)),$(VENV)/.fx-gpu)

ifeq ($(filter numpy cupy strict,$(BACKEND)),)
$(error BACKEND is '$(BACKEND)'; it may be numpy, cupy or strict)
endif

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: help demo test fuzz conformance lint types bench clean

help:
	@sed -n '2,4s/^# *//p' Makefile

demo: $(VENV)/.fx-examples
	$(BIN)python -m fx

test fuzz: export FX_TEST_BACKEND := $(BACKEND)
test: $(TEST_VENV)
	$(call run_pytest,$(PYTEST) $(ARGS))

# The tests that draw their inputs; FX_FUZZ makes them draw many more.
FUZZED = tests/badinput tests/laws/test_random_programs.py tests/primitives/test_indexing.py \
         tests/numpy/test_getitem_and_at.py tests/core/test_tree.py tests/testing/test_strategies.py tests/laws/test_nesting.py \
         tests/compiler/test_compiled_random.py tests/compiler/test_passes_random.py tests/compiler/test_pool.py

fuzz: export FX_FUZZ := 1
fuzz: $(TEST_VENV)
	$(call run_pytest,$(PYTEST) -m "slow or not slow" $(FUZZED) $(ARGS))

# The public suite of the array API on fx.numpy; --traced in ARGS runs every call under fx.vjp. It is cloned once.
conformance: $(VENV)/.fx-dev
	$(BIN)python $(PIP_INSTALL) pytest-json-report ndindex
	$(BIN)python tests/array_api/run_suite.py $(ARGS)

lint: $(VENV)/.fx-dev
	$(BIN)ruff check
	$(BIN)ruff format --check

types: $(VENV)/.fx-dev
	$(BIN)mypy

bench: $(VENV_BENCH)/.fx-bench
	$(VENV_BENCH)/bin/python -m benchmarks --json build/bench.json --png build/bench.png $(ARGS)

clean:
	rm -rf $(VENV) $(VENV_BENCH) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# make turns every failure into its own line and exit code. A caller that wants pytest's (.ci/run) names a file for it.
define run_pytest
@$(info $(1))$(1); code=$$?; \
	if [ -n "$$FX_PYTEST_CODE" ]; then echo $$code >> "$$FX_PYTEST_CODE"; else exit $$code; fi
endef

# The stamp .fx-<extra> says that this tree is installed, editable, with that extra.
$(VENV)/.fx-%: pyproject.toml | $(VENV)/.fx-venv
	$(BIN)python $(PIP_INSTALL) -e '.[$*]'
	@touch $@

$(VENV_BENCH)/.fx-bench: pyproject.toml | $(VENV_BENCH)/.fx-venv
	$(VENV_BENCH)/bin/python $(PIP_INSTALL) -e '.[bench]'
	@touch $@

# python3 where it is new enough, else the newest python3.x there is; a PYTHON that was named is the only candidate.
CANDIDATES = $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3.14 python3.13 python3.12 python3.11)

$(VENV)/.fx-venv $(VENV_BENCH)/.fx-venv:
	@for python in $(CANDIDATES); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python -m venv $(@D)"; $$python -m venv $(@D) && touch $@; exit; \
	  fi; \
	done; \
	echo "fx needs Python 3.11 or newer; tried: $(strip $(CANDIDATES)) ($(PYTHON): `$(PYTHON) --version 2>&1 | head -n 1`)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1
