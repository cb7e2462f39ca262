# Commands on a fresh machine: `make demo`, `make test`, `make docs`. Each makes the environment .venv with the tested
# versions first.
# VENV=path takes an existing environment instead: its torch is never replaced, and only what is missing is installed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# SLOW=1 runs the tests marked slow too; those marked gpu run with `pytest -m gpu`
SLOW ?=
# A stamp names the copy of the source that the environment runs, so that another copy is installed anew.
STAMP := $(VENV)/.gad-lightning$(subst /,-,$(CURDIR))
STAMPS := $(STAMP) $(STAMP)-test $(STAMP)-docs
MADE_HERE := $(VENV)/.made-by-make
SOURCES := setup.cfg pyproject.toml constraints.txt

# one thread a worker, and none that spins while it waits: on a shared machine they slow each other twentyfold
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test docs lint hooks clean

demo: $(STAMP)
	$(BIN)/gad-lightning demo

test: $(STAMP)-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
		-m "$(if $(SLOW),not gpu,not slow and not gpu)"

# the pages, into build/docs: any warning is an error, and nothing is fetched; notebooks run once and are kept
docs: $(STAMP)-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going -n -q -j auto docs build/docs
	@echo "open build/docs/index.html"

lint: $(STAMP)-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

hooks: $(STAMP)-test
	$(BIN)/pre-commit install

clean:
	rm -rf .venv build dist docs/reference docs/tutorials src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# with the extra serve: the demo ends with a command that needs it
$(STAMP): $(SOURCES) | $(BIN)/python
	$(call install,.[serve])

$(STAMP)-test: $(SOURCES) | $(BIN)/python
	$(call install,.[test])
	# a reference of the rejection scores, without torchvision, which it wants for pictures; without it its tests skip
	-$(BIN)/python -m pip install --no-deps -c $(VENV)/.gad-lightning-pins.txt pytorch-ood==0.4.0

$(STAMP)-docs: $(SOURCES) | $(BIN)/python
	$(call install,.[docs])

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	touch $(MADE_HERE)

define install
	$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip
	@rm -f $(filter-out $(STAMPS),$(wildcard $(VENV)/.gad-lightning*))
	$(BIN)/python .ci/pins.py $$(test -e $(MADE_HERE) && echo --all) > $(VENV)/.gad-lightning-pins.txt
	$(BIN)/python -m pip install -c $(VENV)/.gad-lightning-pins.txt -e '$(1)'
	@touch $@
endef
