# Each target is one plain command that also works where there is no make (README.md).
PYTHON ?= python3
RUN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
LOWEST := $(subst .venv,.venv-lowest,$(RUN))
# Two test processes fit two cores; who is done first takes over from the other.
PYTEST := $(RUN) -m pytest --numprocesses 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help book pdf student solutions serve lab notebooks practice practice-quick \
	portable lint test test-fast test-lowest data benchmarks status lock address clean \
	reader development

help: ## list the targets
	@$(PYTHON) -m tools.help

book: reader ## build the book and check its pages
	@$(RUN) -m tools.book build

pdf: development ## build the book, print it into one PDF and link that
	@$(RUN) -m tools.book pdf

student: reader ## build the course without solutions, in _build/student
	@$(RUN) -m tools.book build --edition student

solutions: reader ## build the exercises with their solutions, in _build/solutions
	@$(RUN) -m tools.book build --edition solutions

serve: book ## build the book and serve it on this machine
	@$(RUN) -m tools.book serve

# TensorFlow's start-up messages would stand red in the notebooks.
lab: export TF_CPP_MIN_LOG_LEVEL = 3
lab: development ## open the lessons in JupyterLab
	@$(RUN) -m jupyter lab notebooks

notebooks: development ## sync texts and notebooks, execute what is stale, store it
	@$(RUN) -m tools.notebooks

practice: development ## execute every notebook on the practice sets, store nothing
	@$(RUN) -m tools.notebooks practice

practice-quick: development ## only enough notebooks to try every practice set
	@$(RUN) -m tools.notebooks --quick practice

portable: development ## list outputs that would differ on an older processor
	@$(RUN) -m tools.notebooks portable

lint: development ## check style, spelling, lessons, notebooks and workflow files
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m tools.lint
	@$(RUN) -m tools.prose
	@$(RUN) -m tools.notebooks check
	@$(RUN) -m check_jsonschema --builtin-schema vendor.github-workflows \
		.github/workflows/*.yml

test: development ## run every test, notebooks and book too
	@$(PYTEST)

test-fast: development ## run what needs no notebook, browser, Spark or long training
	@$(PYTEST) -m "not slow"

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

status: development ## measure what the status page shows (an hour)
	@$(RUN) -m tools.status

lock: development ## write the hashed pins anew from pyproject.toml
	@$(RUN) -m tools.lock

address: ## change the repository address everywhere: make address URL=https://…
	@$(RUN) -m tools.address "$(URL)"

clean: ## remove what was built; environments and data stay
	@$(PYTHON) -m tools.clean

reader development:
	@$(PYTHON) -m tools.environment $@
