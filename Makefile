# Thin on purpose: every target is one command, and the command is where the logic is.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv/bin
DATA ?=
TEST ?=
PORT ?=

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

up:  ## train on DATA=folder-or-csv (or the sample data), deploy to a local Docker host, print its URL
	@$(PYTHON) scripts/up.py $(if $(PORT),--port "$(PORT)") $(if $(DATA),--data "$(DATA)") $(if $(TEST),--test "$(TEST)")

down:  ## remove everything that `make up` made outside this folder
	@$(PYTHON) scripts/down.py

status: venv  ## what is live on the local host, and the last releases
	@cd ansible && ../$(VENV)/ansible-playbook status.yml

rollback: venv  ## let the release before the live one serve again
	@cd ansible && ../$(VENV)/ansible-playbook rollback.yml

test:  ## lint, fast tests, then Molecule: all there is
	@$(PYTHON) scripts/run_tests.py

lint: venv  ## the checks that need no host
	@$(VENV)/python -m pytest tests/lint

lock: venv  ## resolve requirements.in and service/requirements.in into their locks
	@$(VENV)/python scripts/lock.py

venv:  # the control machine's environment, made anew when the lock changes
	@$(PYTHON) scripts/environment.py

.PHONY: help up down status rollback test lint lock venv
