# Set-up, demo and tests need only Python 3.11+ and git; everything else is installed here.
SHELL := /bin/bash
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --no-sync

.PHONY: help install demo up down test check types chaos engines schemas spark

help: ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

install: $(filter .uv/bin/uv,$(UV)) ## Install everything, locked
	$(UV) sync --frozen --all-groups --extra models --compile-bytecode --quiet

demo: install ## Start the platform, stream a bank's life, run a night, leave it running
	$(RUN) lifecycle up --demo

up: install ## Start the platform
	$(RUN) lifecycle up

down: ## Stop the platform
	$(RUN) lifecycle down

test: install ## Run all tests, a file at a time on each of three workers: most of them wait
	$(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

chaos: install ## Inject every fault at full size (hours) and write the table in docs/reliability.md
	LIFECYCLE_CHAOS_EVENTS=$${LIFECYCLE_CHAOS_EVENTS:-100000} LIFECYCLE_CHAOS_REPORT=1 \
		$(RUN) pytest -m chaos --timeout 3600 tests/chaos

SPARK := $(UV) run --frozen --isolated --all-groups --extra spark

spark: install ## Hold the bulk work of a night on a Spark cluster against DuckDB (installs pyspark apart)
	$(SPARK) pytest tests/unit/test_engines.py tests/integration/test_spark.py

engines: install ## Hold a million postings against both bulk engines (half an hour)
	$(SPARK) pytest -m slow tests/integration/test_spark_at_size.py

check: install ## Lint, types, generated files
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) python -m lifecycle.events.schemas --check
	$(RUN) python -m lifecycle.clients.lifecycle --check
	$(RUN) python -m lifecycle.clients.catalogue_page --check

schemas: install ## Generate JSON Schemas, the catalogue page and the page of lifecycle states
	$(RUN) python -m lifecycle.events.schemas
	$(RUN) python -m lifecycle.clients.lifecycle
	$(RUN) python -m lifecycle.clients.catalogue_page
