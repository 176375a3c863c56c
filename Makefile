PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q -c constraints.txt

.PHONY: demo test lint clean results

demo: $(VENV)/run.stamp
	$(BIN)/affekt predict demo/lively.flac demo/flat.flac demo/mixed.flac --plot demo/out/demo.png

test: $(VENV)/dev.stamp lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/run.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[media,train]'
	touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo/out
