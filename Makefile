# Every habit of this repository. `make` lists them; each can be run again at any time.
#
# PYTHON=python3.12 chooses the Python for a new .venv; TESTS=tests/archive narrows what `make test` runs.

PYTHON ?= python3
TESTS ?=
BIN := .venv/bin
# No "via" comments and no addresses: a lock holds names, versions and hashes, wherever they are fetched from.
RESOLVE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade \
	--universal --python-version 3.11 --generate-hashes --no-annotate
COMPILE := $(RESOLVE) pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types imports reference docs lab simulate bench lock clean setup-run setup-dev

help:  ## list these habits
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-run  ## set up, run the three reference strategies on sample data, leave a report to look at
	@$(BIN)/magellan demo

test: setup-dev  ## set up, run every test
	@echo "tests: $(or $(TESTS),every one), on all cores"
	@$(BIN)/python -m pytest -n auto $(or $(TESTS),--ignore=tests/lab)

check: format lint types imports test  ## what CI runs: format, lint, types, import contract, tests, documents

format: setup-dev  ## is every file formatted? (`.venv/bin/ruff format` mends it)
	@echo "format: ruff"
	@$(BIN)/ruff format --check .

lint: setup-dev  ## likely mistakes
	@echo "lint: ruff"
	@$(BIN)/ruff check .

types: setup-dev  ## types, strictly
	@echo "types: mypy --strict"
	@$(BIN)/mypy

imports: setup-dev  ## do imports point one way, as docs/architecture.md draws it?
	@echo "imports: the contract in pyproject.toml"
	@$(BIN)/lint-imports --no-logo

reference: setup-dev  ## write docs/reference/ (commands, configuration, errors) from the code
	@$(BIN)/python tools/reference.py

docs: setup-dev  ## do the documents say what the code does?
	@echo "docs: tests/repository"
	@$(BIN)/python -m pytest -q tests/repository

lab: setup-dev  ## tests that need more than Python: a browser (chromium on the PATH, or MAGELLAN_BROWSER)
	@echo "lab: tests/lab, two files at a time: most of them wait for hosts and servers"
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/lab

simulate: setup-dev  ## days of live trading with faults and kills: DAYS=1000 SEED=0, and JOURNAL=file to go on after it
	@$(BIN)/python -m tests.simulation --days $(or $(DAYS),1000) --seed $(or $(SEED),0) $(if $(JOURNAL),--journal $(JOURNAL))

bench: setup-dev  ## speed and memory beside the known peers, which it installs; takes a while
	@$(BIN)/python benchmarks/run.py --install-peers
	@$(BIN)/python benchmarks/run.py

lock: setup-dev  ## choose newer versions of what we depend on, and write requirements/*.lock
	@echo "lock: resolving for Python 3.11 to 3.14 on Linux and macOS"
	@$(COMPILE) --all-extras --group dev -o requirements/dev.lock
	@$(COMPILE) --extra gates --group build --constraints requirements/dev.lock -o requirements/run.lock
	@$(RESOLVE) benchmarks/peers.in -o benchmarks/peers.lock

clean:  ## remove what make made: environment, caches, build; never a workspace's data
	@echo "clean: .venv .bootstrap build and caches"
	@rm -rf .venv .bootstrap build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests tools workspace benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

setup-run:
	@$(PYTHON) tools/environment.py run

setup-dev:
	@$(PYTHON) tools/environment.py dev
