# Two commands are enough: `make demo` and `make test`. Both set up what they need, once.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TEST_STAMP := $(VENV)/.ready-test
S3_STAMP := $(VENV)/.ready-s3
MANIFESTS := pyproject.toml schemas/pyproject.toml training/pyproject.toml constraints.txt deploy/setup.sh

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test check lint types imports unit drills bench doctor docs clean

help: ## what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(STAMP): $(MANIFESTS)
	PYTHON=$(PYTHON) bash deploy/setup.sh $(VENV)
	@touch $@

$(S3_STAMP): $(STAMP)
	bash deploy/setup.sh --s3-jars $(VENV)
	@touch $@

$(TEST_STAMP): $(STAMP) $(S3_STAMP)
	bash deploy/setup.sh --test-packages
	@touch $@

setup: $(STAMP) $(if $(S3),$(S3_STAMP)) ## install what the demo needs (system packages, .venv, JARs); S3=1: Spark on S3, too

demo: $(STAMP) ## the main job end to end on the built-in sample site
	$(BIN)/foundry demo

ui: $(STAMP) ## the Dagster UI on the same data, schedules and sensors running
	$(BIN)/foundry ui

doctor: $(STAMP) ## what is there, what is missing, and what mends it
	$(BIN)/foundry doctor

check: $(STAMP) lint types imports ## lint, format, types, import contracts

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

test: $(TEST_STAMP) check ## everything CI runs, except the slow fault drills
	$(BIN)/python -m pytest -m "not drill" --durations=25

drills: $(TEST_STAMP) ## slow fault drills: time limits, kills, node failures
	$(BIN)/python -m pytest -m drill --durations=10

bench: $(STAMP) ## the benchmarks, side by side with their peers: make bench NAME=dedup
	$(BIN)/foundry bench $(NAME)

docs: $(STAMP) ## the table reference, generated from schemas/, to .foundry/docs/tables.md
	$(BIN)/python -m schemas.docs .foundry/docs/tables.md

clean: ## remove the data of the demo; the virtual environment stays
	rm -rf .foundry
