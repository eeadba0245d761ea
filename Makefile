# Each target is one plain command that also works where there is no make (README.md).
PYTHON ?= python3
RUN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
LOWEST := $(subst .venv,.venv-lowest,$(RUN))
# Two test processes fit two cores; a test that needs a resource to itself names a group.
PYTEST := $(RUN) -m pytest --numprocesses 2 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help book serve lab notebooks practice lint test test-fast test-lowest data \
	benchmarks lock address clean reader development

help: ## list the targets
	@$(PYTHON) -m tools.help

book: reader ## build the book and check its pages
	@$(RUN) -m tools.book build

serve: book ## build the book and serve it on this machine
	@$(RUN) -m tools.book serve

lab: development ## open the lessons in JupyterLab
	@$(RUN) -m jupyter lab notebooks

notebooks: development ## sync texts and notebooks, execute what is stale, store it
	@$(RUN) -m tools.notebooks

practice: development ## execute every notebook on the practice sets, store nothing
	@$(RUN) -m tools.notebooks practice

lint: development ## check style, lessons, notebooks and workflow files
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m tools.lint
	@$(RUN) -m tools.notebooks check
	@$(RUN) -m check_jsonschema --builtin-schema vendor.github-workflows \
		.github/workflows/*.yml

test: development ## run every test, notebooks and book too
	@$(PYTEST)

test-fast: development ## run every test that executes no notebook
	@$(PYTEST) -m "not notebook"

test-lowest: ## run the unit tests of medlib on the oldest supported versions
	@$(PYTHON) -m tools.environment lowest
	@$(LOWEST) -m pytest --numprocesses 2 tests/medlib

data: development ## download all real data, with progress
	@$(RUN) -m medlib.data

benchmarks: development ## measure what the results page shows (long)
	@$(RUN) -m medlib.benchmarks convolution
	@$(RUN) -m medlib.benchmarks imaging
	@$(RUN) -m medlib.benchmarks full_size
	@$(RUN) -m medlib.benchmarks records_etl
	@$(RUN) -m medlib.benchmarks records
	@$(RUN) -m medlib.benchmarks pretraining
	@$(RUN) -m medlib.benchmarks readmission
	@$(RUN) -m medlib.benchmarks text
	@$(RUN) -m medlib.benchmarks recommendation
	@$(RUN) -m medlib.benchmarks visits
	@$(RUN) -m medlib.benchmarks neighbours

lock: development ## write the hashed pins anew from pyproject.toml
	@$(RUN) -m tools.lock

address: ## change the repository address everywhere: make address URL=https://…
	@$(RUN) -m tools.address "$(URL)"

clean: ## remove what was built; environments and data stay
	@$(PYTHON) -m tools.clean

reader development:
	@$(PYTHON) -m tools.environment $@
