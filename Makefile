# Everything runs with the Python on PATH: activate an environment first, then
#   pip install -e '.[dev]' && make check
PYTHON ?= python

.PHONY: check lint types test bench reliability format results

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m deptry .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

# Speed is measured, not asserted; see also `nasrank bench`.
bench:
	$(PYTHON) -m pytest tests/benchmarks/speed -o python_files='bench_*.py' \
		-o addopts='--import-mode=importlib' --benchmark-only

# Importers against 2,000 damaged files each where `make check` tries 200.
reliability:
	NASRANK_MUTATIONS=2000 $(PYTHON) -m pytest tests/benchmarks/importers

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# The reference results: about a quarter of an hour on two cores, resumed where it was stopped.
results:
	nasrank compare --subset full --out results
