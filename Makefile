# Everything happens in .venv at the project's root; each target first sets up what it needs, and a second call is quick.
#
#   make train               train on the built-in digits; ARGS="PATH -e 5" goes to `stridednet train`
#   make test                run the tests; ARGS="tests/data -x" goes to pytest
#   make check               ruff (lint and format) and strict types
#   make bench               the benchmarks
#   make docs                build the documentation into build/site
#   make constraints         pin the whole environment anew, after a change of dependencies
#
# Where PyPI's torch would bring gigabytes of CUDA (Linux without a GPU):
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make train

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test check bench docs constraints clean

train: .venv/runtime.stamp
	@$(BIN)/stridednet train $(ARGS)

test: .venv/development.stamp
	$(BIN)/pytest $(ARGS)

check: .venv/development.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/development.stamp
	$(BIN)/python benchmarks/data_pipeline.py $(ARGS)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/predict_throughput.py
	$(BIN)/python benchmarks/train_throughput.py $(ARGS)

docs: .venv/docs.stamp
	$(BIN)/mkdocs build --strict

constraints: .venv/created.stamp
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[dev,docs]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache

.venv/created.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/runtime.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(INSTALL) --editable .
	@touch $@

.venv/development.stamp: .venv/runtime.stamp
	@$(INSTALL) --editable '.[dev]'
	@touch $@

.venv/docs.stamp: .venv/runtime.stamp
	@$(INSTALL) --editable '.[docs]'
	@touch $@
