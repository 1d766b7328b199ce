# Everything a newcomer needs is `make demo` and `make test`.

XINQIAO := .venv/bin/xinqiao
PYTHON := .venv/bin/python

.PHONY: demo up down test lint unit chaos bench bench-queue bench-search compose-check contracts lock clean help

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: .venv/ready ## A hotline's day on real servers, and the audit of it
	$(XINQIAO) demo

up: .venv/ready ## Start everything and leave it running
	$(XINQIAO) up

down: .venv/ready ## Stop it; the data stays
	$(XINQIAO) down

test: lint unit ## Everything that has to hold before a change lands

lint: .venv/ready ## Style, types, architecture, generated files
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m xinqiao.contracts_tool check

unit: .venv/ready ## The tests, against real servers, in two processes (WORKERS=1 for one)
	$(PYTHON) -m pytest -m "not chaos and not bench" -n $(or $(WORKERS),2) --dist loadfile

chaos: .venv/ready ## Kill services, broker and database under load, then audit
	$(PYTHON) -m tests.chaos.ledger

bench: .venv/ready ## The platform beside a hand-written program and the limit
	$(PYTHON) -m tests.bench.run

bench-queue: .venv/ready ## The queue's next case and a case's page with 100,000 open cases, beside the same typed by hand
	$(PYTHON) -m tests.bench.queue

bench-search: .venv/ready ## The search among 1,000,000 people, beside the same typed by hand
	$(PYTHON) -m tests.bench.search

compose-check: ## docker-compose.yml from nothing: a flag in, its case out
	COMPOSE="$(or $(COMPOSE),docker compose)" tests/deploy/compose_check.sh

contracts: .venv/ready ## Write the schemas, asyncapi.yaml and the event table anew
	$(PYTHON) -m xinqiao.contracts_tool write

lock: .venv/ready ## Lock the dependencies anew, with hashes and without addresses
	$(PYTHON) -m pip install --quiet uv
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-find-links \
	  pyproject.toml -o requirements.txt
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-find-links \
	  --extra local --extra dev pyproject.toml -o requirements-dev.txt
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-find-links \
	  deploy/requirements-build.in -o deploy/requirements-build.txt

clean: ## Remove the environment and the local data
	-test -x $(XINQIAO) && $(XINQIAO) down
	rm -rf .venv .xinqiao

.venv/ready: requirements-dev.txt pyproject.toml deploy/local/setup.sh
	sh deploy/local/setup.sh
