# What a developer does with Carrier; `make help` lists it. GNU make and Python 3.11 or newer are all that is needed.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --no-input
PLUGINS := $(patsubst %/pyproject.toml,%,$(sort $(wildcard plugins/*/pyproject.toml)))
STAMP := $(VENV)/.made
# A server of model protocols that is not ours, where npm can bring it and none is named; without it its tests are skipped.
AIMOCK := $(if $(CARRIER_TEST_AIMOCK),,$(if $(shell command -v npm 2>/dev/null),$(VENV)/.aimock))
# Servers of tools that are not ours, likewise.
MCP := $(if $(CARRIER_TEST_MCP),,$(if $(shell command -v npm 2>/dev/null),$(VENV)/.mcp))
NPM := npm install --no-audit --no-fund --no-save --loglevel=error --prefer-offline \
	--fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000
LINTED := $(wildcard carrier_core plugins tests config docs)

# Without its .pyc files every start compiles what it imports, which takes ten times as long as the import.
unexport PYTHONDONTWRITEBYTECODE
# Not even `make -C DIR run` adds a line of make's own to the reply on standard output.
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile
	@echo '  ARGS="..." goes to what run, test and bench start: make run ARGS="--agent assistantbot"'

setup: $(STAMP) ## make .venv, with the core and every plugin installed editable

run: $(STAMP) ## talk to an agent here
	@$(BIN)/carrierd chat $(ARGS)

test: $(STAMP) $(AIMOCK) $(MCP) ## run every test, the plugins' included
	@CARRIER_TEST_AIMOCK="$${CARRIER_TEST_AIMOCK:-$$(cat $(AIMOCK) /dev/null 2>/dev/null)}" \
		CARRIER_TEST_MCP="$${CARRIER_TEST_MCP:-$$(cat $(MCP) /dev/null 2>/dev/null)}" $(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## lint, format and types
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy

bench: $(STAMP) ## measure, print a table, write .bench/latest.json
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(STAMP) ## write the hook reference again from the specs
	@$(BIN)/python docs/generate.py

clean: ## remove whatever these targets made
	rm -rf $(VENV) .bench .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One pip command for all distributions, so that the plugins' need of carrier-core is met from this tree; without build
# isolation, which would make a venv for each (250 s instead of 10). All that pip says goes to standard error: on
# standard output `make run` prints the reply. pip must not read standard input either: that is the conversation.
$(STAMP): Makefile pyproject.toml carrier_core/_version.py $(PLUGINS:=/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Carrier needs Python 3.11 or newer; \`$(PYTHON)\` is $$($(PYTHON) --version 2>&1 || :)." \
			"Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "\`$(PYTHON)\` cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; about a minute)..." >&2
	@$(PYTHON) -m venv $(VENV) </dev/null >&2
	@$(PIP) install 'hatchling>=1.27' 'editables>=0.5' </dev/null >&2
	@$(PIP) install --no-build-isolation --editable '.[dev]' $(PLUGINS:%=--editable ./%) </dev/null >&2
	@touch $@

# The path of its script. That it cannot be had is no reason to stop, and is tried again the next time.
$(VENV)/.aimock: $(STAMP)
	@$(NPM) --prefix $(VENV)/npm '@copilotkit/aimock@^1.43' </dev/null >&2 \
		&& path=$$(readlink -f $(VENV)/npm/node_modules/.bin/llmock) && echo "$$path" >$@ \
		|| echo "npm could not bring @copilotkit/aimock: the tests with it are skipped." >&2

# The folder that they are in: one of their own, since npm would take out of another what it was not asked for.
$(VENV)/.mcp: $(STAMP)
	@$(NPM) --prefix $(VENV)/npm-mcp '@modelcontextprotocol/server-everything@^2026.8' \
		'@modelcontextprotocol/server-filesystem@^2026.8' '@modelcontextprotocol/server-memory@^2026.8' </dev/null >&2 \
		&& echo "$(abspath $(VENV)/npm-mcp)" >$@ \
		|| echo "npm could not bring the servers of the Model Context Protocol: the tests with them are skipped." >&2
