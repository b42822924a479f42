# Opsbook's commands. `make` alone lists them. Works with GNU make 3.81 and newer.
#
# Settings, from the command line or the environment:
#   BOOK      the book that `make up` runs                (books/starter)
#   PYTHON    the Python that .venv is made from          (the first that is 3.11 or newer)
#   BENCH     the benchmarks that `make bench` runs       (all of bench/*.py)
#   ARGS      more arguments for pytest or the benchmarks
#   OPSBOOK_DATA, OPSBOOK_LISTEN, OPSBOOK_DATABASE reach `opsbook up` as they are.

BOOK ?= books/starter
ARGS ?=
BENCH ?= $(sort $(wildcard bench/[a-z]*.py))
ENV := .venv
BIN := $(ENV)/bin
CODE := src tests tools bench

.PHONY: help up test lint format bench docs prove lock clean \
	lint-format lint-rules lint-types lint-imports lint-files moved

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

up: $(ENV)/.run  ## run a book: BOOK=books/starter
	@exec $(BIN)/opsbook up $(BOOK)

test: $(ENV)/.dev  ## run every test with what is installed here, and name what was skipped
	@$(BIN)/python -m compileall -q src  # many tests start the program: none has to compile it anew
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal -m "not prove" $(ARGS)

lint: lint-format lint-rules lint-types lint-imports lint-files  ## check form, rules, types and imports

lint-format: $(ENV)/.dev
	$(BIN)/ruff format --check $(CODE)

lint-rules: $(ENV)/.dev
	$(BIN)/ruff check $(CODE)

lint-types: $(ENV)/.dev
	$(BIN)/mypy src tools

lint-imports: $(ENV)/.dev
	$(BIN)/lint-imports

lint-files: $(ENV)/.dev
	$(BIN)/python tools/check_files.py $(CODE)

format: $(ENV)/.dev  ## put the code into the house's form
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(ENV)/.dev  ## measure against the peers, side by side; BENCH=bench/one.py for one
	@for each in $(BENCH); do echo "== $$each"; $(BIN)/python $$each $(ARGS) || exit 1; done

docs: $(ENV)/.dev  ## write the pages of docs/ that are made from the code
	$(BIN)/python tools/write_sections.py

prove: $(ENV)/.dev  ## run the long proofs that `make test` leaves out
	$(BIN)/pytest -m prove $(ARGS)

# UPGRADE=1 moves every package forward; without it only what pyproject.toml asks for changes.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --quiet $(if $(UPGRADE),--upgrade)
lock:  ## write requirements/*.lock anew from pyproject.toml (needs uv; UPGRADE=1 for newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv (https://docs.astral.sh/uv/) on PATH." >&2; exit 1; }
	$(COMPILE) --group build -o requirements/run.lock
	$(COMPILE) --group build --group dev -c requirements/run.lock -o requirements/dev.lock

clean:  ## remove the environment, caches and build outputs; never a data folder
	rm -rf $(ENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp says which lock it holds; dev.lock contains all of run.lock, so one
# environment serves both. Scripts in .venv name its absolute place: a moved clone makes it anew.
$(ENV)/.run: requirements/run.lock pyproject.toml
	@tools/environment run
	@touch $@

$(ENV)/.dev: requirements/dev.lock requirements/run.lock pyproject.toml
	@tools/environment dev
	@touch $(ENV)/.run $@

ifneq ($(shell cat $(ENV)/.place 2>/dev/null),$(CURDIR))
$(ENV)/.run $(ENV)/.dev: moved
moved:
endif
