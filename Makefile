# Everything runs with the Python on PATH: activate an environment first, then
#   pip install -e '.[dev]' && make check
PYTHON ?= python

.PHONY: check report lint types test bench reliability gate soak format results baseline

# Tests build the documentation too, where its extra is installed.
check: lint types test

# As a site in build/site; any warning fails. Needs pip install -e '.[docs]'.
.PHONY: docs
docs:
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m deptry .

types:
	$(PYTHON) -m mypy

# Two processes of one thread each: on two cores about half the time of one. Bytecode is kept even
# where the environment says otherwise: a hundred processes would compile everything again.
test:
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile

# What takes too long for every change: kills at random, bombs, full disks, another repository.
.PHONY: long
long:
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -m long

# Speed is measured, not asserted; see also `nasrank bench`.
bench:
	$(PYTHON) -m pytest tests/benchmarks/speed -o python_files='bench_*.py' \
		-o addopts='--import-mode=importlib' --benchmark-only

# What `make check` does in small, at length: importers against 2,000 damaged files each, 1,000
# command lines and configuration files a command, 60 kills; then the soak. Under an hour.
reliability:
	$(PYTHON) tests/reliability/hostile_inputs.py --out results/reliability
	$(PYTHON) tests/reliability/engine_kills.py --out results/reliability
	$(PYTHON) tests/reliability/long_checks.py --out results/reliability
	$(MAKE) long gate soak statistics

# How often each interval that is printed holds the truth, and how many seeds show a difference in
# evaluations; from stored tables, in a minute. The last needs transnas-micro, see `nasrank data import`.
.PHONY: statistics
statistics:
	$(PYTHON) tests/reliability/coverage.py --out results/reliability
	$(PYTHON) tests/reliability/evaluation_power.py --out results/reliability
	$(PYTHON) tests/reliability/list_coverage.py --out results/reliability
	$(PYTHON) tests/reliability/advice_transfer.py --out results/reliability

# Other versions of Python and packages, and less than usual of everything: name further Pythons,
# with the packages in them, such as PYTHONS="/tmp/old/bin/python /tmp/py313/bin/python".
.PHONY: matrix
matrix:
	$(PYTHON) tests/reliability/matrix.py --out results/reliability $(addprefix --python ,$(PYTHONS))

# How often `nasrank check` cries wolf and how often it is right, from 1,200 predictors: about a
# quarter of an hour on two cores, resumed where it was stopped.
gate:
	$(PYTHON) tests/reliability/gate_pool.py --out results/reliability
	$(PYTHON) tests/reliability/gate_power.py --out results/reliability

# What one and two workers gain here, and a model of many: about five minutes on two cores.
.PHONY: engines
engines:
	OMP_NUM_THREADS=1 $(PYTHON) tests/reliability/engine_speedup.py --out results/reliability

# Other learning rates, epochs and options of every loss, on tasks that no table reports.
.PHONY: tuning
tuning:
	OMP_NUM_THREADS=1 $(PYTHON) tests/tuning/tune_losses.py --predictor gnn --out results/tuning
	OMP_NUM_THREADS=1 $(PYTHON) tests/tuning/tune_losses.py --predictor kernel --out results/tuning

# The CI subset in a loop with random kills: tables stay right, memory and open files flat.
SOAK_MINUTES ?= 20
soak:
	$(PYTHON) tests/reliability/soak.py --minutes $(SOAK_MINUTES) --seeds 4 --out results/reliability

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# The reference results: about a quarter of an hour on two cores, resumed where it was stopped.
results:
	nasrank compare --subset full --out results

# Tables of README files and docs from those of the results; a second, and after every change of them.
.PHONY: figures
figures:
	$(PYTHON) tests/figures_in_pages.py

# All of them as one page; quick, and to be made again whenever they change.
report:
	nasrank report results --out results/report.html

# What `.ci/run` checks this project's own predictors against; after a change that is meant.
baseline:
	nasrank compare --subset ci --force --out nasrank-out/ci
	nasrank check nasrank-out/ci --against results/baseline-ci.parquet --update
