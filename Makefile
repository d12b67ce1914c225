# The commands of this project. `make` lists them. Each sets up what it needs first; after the first time
# that costs a few milliseconds.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin
SCHEMA := docs/stack-file.schema.json
# Python keeps the compiled form of what it imported, whatever the machine's default is: the Pulumi SDKs are
# large, and a preview starts three times faster with it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Options: STACK=prod for preview, ARGS='-k name' for the tests"

# --- see and test: needs git, make and a Python >= 3.10 ----------------------------------------------------

.PHONY: preview
preview:  ## what every stack would create: no account, no cluster, no Pulumi CLI (STACK=prod: one stack)
	@scripts/bootstrap run
	@$(BIN)/slipway preview $(STACK) $(ARGS)

.PHONY: test
test:  ## the unit tests with the coverage floor (with ARGS: only those, without the floor)
	@scripts/bootstrap test
	@$(BIN)/pytest $(if $(ARGS),$(ARGS),-n 2 --dist worksteal --cov --cov-report=term)

# --- a stack for real ----------------------------------------------------------------------------------------

STACK_OPTIONS = $(if $(YES),--yes) $(ARGS)

.PHONY: up
up:  ## the local stack for real (CONTEXT=name: that cluster; REGISTRY=host/path: where its nodes get the image)
	@scripts/bootstrap run
	@$(BIN)/slipway up $(STACK) $(if $(CONTEXT),--context '$(CONTEXT)') $(if $(REGISTRY),--registry '$(REGISTRY)') $(STACK_OPTIONS)

.PHONY: down
down:  ## remove it with its data (YES=1: ask nothing; ARGS=--cluster: the kind cluster too)
	@scripts/bootstrap run
	@$(BIN)/slipway down $(STACK) $(STACK_OPTIONS)

# --- the gates ---------------------------------------------------------------------------------------------

.PHONY: setup
setup:  ## everything for working on the code, the pre-commit hooks too
	@scripts/bootstrap dev
	@$(BIN)/pre-commit install

GATES := lint-rules lint-format lint-types lint-imports
.PHONY: lint $(GATES)
lint: $(GATES)  ## ruff, pyright strict, import-linter

lint-rules:
	@scripts/bootstrap dev
	$(BIN)/ruff check .

lint-format:
	@scripts/bootstrap dev
	$(BIN)/ruff format --check --quiet .

lint-types:
	@scripts/bootstrap dev
	$(BIN)/pyright

lint-imports:
	@scripts/bootstrap dev
	$(BIN)/lint-imports

.PHONY: manifests
manifests:  ## rendered objects against the Kubernetes schemas and checkov
	@scripts/check-manifests $(STACK)

.PHONY: docs
docs:  ## renew the generated files
	@scripts/bootstrap run
	@$(BIN)/slipway schema > $(SCHEMA)

.PHONY: check-docs
check-docs:  ## are the generated files up to date?
	@scripts/bootstrap run
	@$(BIN)/slipway schema | diff -u $(SCHEMA) - || { echo "$(SCHEMA) is out of date: run 'make docs'" >&2; exit 1; }

.PHONY: format
format:  ## ruff's formatting and its safe fixes
	@scripts/bootstrap dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: check-workflows
check-workflows:  ## the workflows in .github/ against actionlint and zizmor (needs Go, or actionlint)
	@scripts/check-workflows

.PHONY: security security-code security-dependencies
security: security-code security-dependencies  ## bandit; known vulnerabilities of all that is locked

security-code:
	@scripts/bootstrap security
	git ls-files -z '*.py' ':!:*tests/*' | xargs -0 .ci/security/.venv/bin/bandit --quiet --configfile pyproject.toml

security-dependencies:
	@scripts/check-dependencies

# --- the tiers that need more -------------------------------------------------------------------------------

.PHONY: test-engine
test-engine:  ## Pulumi's real engine with simulated providers (needs `pulumi` on PATH or SLIPWAY_PULUMI)
	@scripts/bootstrap test
	@$(BIN)/pytest tests/engine $(ARGS)

.PHONY: test-cluster
test-cluster:  ## the local stack on a real Kubernetes (needs KUBECONFIG, Docker and `pulumi`)
	@scripts/bootstrap test
	@$(BIN)/pytest tests/cluster $(ARGS)

.PHONY: load-test
load-test:  ## the same stack under the load of a release: 100 readers, 50 writers, 200 WebSockets (SECONDS=600)
	@scripts/bootstrap test
	@LOAD_SECONDS=$(or $(SECONDS),600) $(BIN)/pytest tests/cluster/test_load.py $(ARGS)

.PHONY: test-app
test-app:  ## the application in app/ (PostgreSQL and Redis binaries, if this machine has them)
	@$(MAKE) --no-print-directory -C app test

.PHONY: bench
bench:  ## how fast the preview is, as ratios to what the SDKs themselves cost
	@scripts/bootstrap run
	@$(BIN)/python -m bench

.PHONY: ci
ci:  ## what CI runs: every tier this machine can run
	@bash .ci/run
