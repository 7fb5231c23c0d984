# `make search` and `make test` are all a fresh machine needs; both create the environment in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := sh requirements/install.sh $(BIN)/python
LOCK := pyproject.toml $(wildcard requirements/*.txt) requirements/install.sh

export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help search test check coverage golden long chaos docs pages lock licences clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.search: $(LOCK) | $(BIN)/python
	@echo "Installing the environment into $(VENV) (once, about two minutes) ..."
	$(INSTALL) search
	@touch $@

$(VENV)/.test: $(LOCK) | $(BIN)/python
	@echo "Installing the environment with the test tools into $(VENV) (once, about three minutes) ..."
	$(INSTALL) test
	@touch $@ $(VENV)/.search

SIDE_BY_SIDE ?= --numprocesses 2 --dist loadfile

search: $(VENV)/.search  ## run the demonstration (two-digit numbers); again = carry on
	$(BIN)/python -m jobs.search --recipe demo --store runs --name demo

test: $(VENV)/.test  ## all tests, the fast ones first
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "not (slow or cluster or chaos or gpu)"
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "slow or cluster or chaos or gpu"

check: $(VENV)/.test  ## ruff, mypy --strict, import layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(VENV)/.test  ## all tests with branch coverage of tuner/
	$(BIN)/python -m coverage run -m pytest -q
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered

long: $(VENV)/.test  ## the tests that take many minutes: submitted jobs, node set-up, cluster.up
	LONG=1 $(BIN)/python -m pytest -q -m long

CHAOS_SEED ?= $(shell date +%N)
chaos: $(VENV)/.test  ## every fault we know, in an order drawn by CHAOS_SEED, and that nothing is lost
	LONG=1 CHAOS_SEED=$(CHAOS_SEED) $(BIN)/python -m pytest -v -m chaos

golden: $(VENV)/.test  ## fingerprints of a tiny trial's artifacts, after a stage's number was raised
	$(BIN)/python -m tests.search.golden

docs: $(VENV)/.test  ## the documents as a site, in site/
	$(BIN)/zensical build --strict

pages: $(VENV)/.test  ## fill in again what pages take from the code: fields, commands, metrics, events, the picture
	$(BIN)/python docs/generate.py

lock:  ## pin every dependency and the hashes of its files again (needs uv; UPGRADE=1: newest versions)
	$(PYTHON) requirements/lock.py $(if $(UPGRADE),--upgrade)

licences: $(VENV)/.test  ## write THIRD_PARTY.md again, after the lock has changed
	$(BIN)/python requirements/licences.py

clean:  ## remove the environment and caches, never a store
	rm -rf $(VENV) build site .cache *.egg-info .pytest_cache .mypy_cache .ruff_cache
