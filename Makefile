# Two commands: `make run` starts everything on this machine, `make test` tests everything. README.md says more.
PYTHON ?= python3

.PHONY: run test lint audit shots chaos bench

run: .venv/.run
	@exec .venv/bin/python -m core.run

test: .venv/.dev
	@.venv/bin/python -m scripts.test

lint: .venv/.dev
	@.venv/bin/python -m scripts.lint

# Asks databases on the net about holes in what we pin; where there is no net, it says NOT RUN.
audit: .venv/.dev
	@.venv/bin/python -m scripts.audit

shots: .venv/.dev
	@.venv/bin/python -m scripts.shots

chaos: .venv/.dev
	@.venv/bin/python -m tests.chaos $(if $(WRITE),--write $(WRITE))

# ROW=fanout measures that one alone; all of them write their table to docs/figures.md.
bench: .venv/.dev
	@.venv/bin/python -m tests.bench --write docs/figures.md

.venv/.run: requirements.txt requirements-embedded.txt scripts/venv.sh
	@PYTHON="$(PYTHON)" bash scripts/venv.sh requirements-embedded.txt
	@touch $@

.venv/.dev: requirements.txt requirements-embedded.txt requirements-server.txt requirements-dev.txt scripts/venv.sh
	@PYTHON="$(PYTHON)" bash scripts/venv.sh requirements-dev.txt
	@touch $@
