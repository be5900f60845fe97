# 'make demo' and 'make test' set up all they need in .venv first, on a fresh machine too.
# Another place or interpreter: make test VENV=/somewhere PYTHON=python3.12

VENV ?= .venv
WORKERS ?= 2
SUITABLE = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done)
# Worker processes share the cores: each gets one thread where a library would take all.
ONE_THREAD = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: help setup demo test lint rules format types clean

help:
	@echo "make demo   a walking body through everything; ends with a report to open"
	@echo "make test   the tests"
	@echo "make lint   style and types"
	@echo "make setup  only the environment in $(VENV)"

setup: $(VENV)/.ready

# torch is pinned: an open range fetches gigabytes for graphics cards on some machines.
$(VENV)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 found: install one, or name it: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet torch==2.13.0
	$(VENV)/bin/python -m pip install --quiet --editable '.[all,dev]'
	@touch $@

demo: setup
	$(VENV)/bin/biopose demo --output demo_output

test: setup
	$(ONE_THREAD) $(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal

lint: rules format types

rules: setup
	$(VENV)/bin/ruff check .

format: setup
	$(VENV)/bin/ruff format --check .

types: setup
	$(VENV)/bin/mypy

clean:
	rm -rf $(VENV) demo_output build dist
