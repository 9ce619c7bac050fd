# Each target first installs what it needs into .venv at the project's root, which takes about a minute the first time.
#
#   make train               train on the built-in digits; ARGS="PATH -e 5" is passed to `stridednet train`
#   make test                run all tests and measure their coverage; ARGS="tests/data -x" runs a part without it
#   make check               check lint and format with ruff, and types with mypy
#   make bench               run the benchmarks
#   make docs                build the documentation into build/site
#   make constraints         update constraints.txt to the newest versions, after a change of dependencies
#
# On Linux, the torch of PyPI includes gigabytes of CUDA. To install torch without it:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make train

PYTHON ?= python3
ARGS ?=
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
COVERAGE := --cov=stridednet --cov-report=term:skip-covered --cov-fail-under=94

.PHONY: train test check bench docs constraints clean

train: .venv/runtime.stamp
	@$(BIN)/stridednet train $(ARGS)

test: .venv/development.stamp
	$(BIN)/pytest -n 2 --dist worksteal $(or $(ARGS),$(COVERAGE))

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
	$(BIN)/python -m pip install --quiet --upgrade --editable '.[dev,docs,check,onnx,openvino,pretrained,serve]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:
	rm -rf .venv .coverage build dist .mypy_cache .pytest_cache .ruff_cache

.venv/created.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; use a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/runtime.stamp: .venv/created.stamp pyproject.toml constraints.txt
	@$(INSTALL) --editable .
	@touch $@

.venv/development.stamp: .venv/runtime.stamp
	@$(INSTALL) --editable '.[dev,check,onnx,openvino,pretrained,serve]'
	@touch $@

.venv/docs.stamp: .venv/runtime.stamp
	@$(INSTALL) --editable '.[docs]'
	@touch $@
