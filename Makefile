# Two commands on a fresh machine: `make demo` and `make test`.
# VENV=folder uses an existing environment; the torch in it is never replaced.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PINS := $(VENV)/gad-constraints.txt
SOURCES := setup.cfg pyproject.toml constraints.txt

# spinning threads slow a shared machine twentyfold
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test slow lint hooks clean
.DEFAULT_GOAL := test

demo: $(VENV)/.gad-installed
	$(BIN)/gad-lightning demo

test: $(VENV)/.gad-installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "not slow and not gpu"

slow: $(VENV)/.gad-installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "slow and not gpu"

lint: $(VENV)/.gad-installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

hooks: $(VENV)/.gad-installed-test
	$(BIN)/pre-commit install

$(VENV)/.gad-installed: $(PINS)
	$(BIN)/python -m pip install --quiet --constraint $(PINS) --editable .
	touch $@

$(VENV)/.gad-installed-test: $(PINS)
	$(BIN)/python -m pip install --quiet --constraint $(PINS) --editable ".[test]"
	touch $@

# a new environment gets the tested versions; one that has a torch keeps it, and everything that fits the bounds
$(PINS): $(SOURCES) | $(BIN)/python
	if $(BIN)/python -m pip show --quiet torch 2>/dev/null && [ ! -e $(VENV)/.gad-made ]; \
	then $(BIN)/python -m pip freeze | grep '^torch==' > $@; \
	else cp constraints.txt $@; fi

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	touch $(VENV)/.gad-made

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
