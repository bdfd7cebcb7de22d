# Thin on purpose: every target is one command, and the command is where the logic is.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv/bin
DATA ?=
TEST ?=
PORT ?=
BUNDLE ?= build/bundle
OTHER ?=

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

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

prove:  ## the long forms: 20 deploys under load, each way of being interrupted
	@$(PYTHON) scripts/run_tests.py -m prove

smoke-ec2: venv  ## one real run on AWS for cents: make a stack, deploy, classify, tear it down
	@$(VENV)/python scripts/ec2.py smoke --bundle "$(abspath $(BUNDLE))"

train: venv  ## train on DATA (and measure on TEST, if given) into BUNDLE, by default build/bundle
	@cd service && ../$(VENV)/python -m classifier train "$(abspath $(or $(DATA),service/sample_data))" --output "$(abspath $(BUNDLE))" $(if $(TEST),--test "$(abspath $(TEST))")

evaluate: venv  ## score BUNDLE on the labelled texts at DATA
	@cd service && ../$(VENV)/python -m classifier evaluate "$(abspath $(BUNDLE))" "$(abspath $(DATA))"

compare: venv  ## put BUNDLE beside the bundle OTHER on the labelled texts at DATA
	@cd service && ../$(VENV)/python -m classifier compare "$(abspath $(BUNDLE))" "$(abspath $(OTHER))" "$(abspath $(DATA))"

bench: bench-pipeline bench-serving  ## both benchmarks: of training on DATA=folder-or-csv, and of serving

bench-pipeline: venv  ## speed and memory of the training pipeline on DATA=folder-or-csv, beside scikit-learn
	@$(VENV)/python tests/bench/pipeline.py "$(or $(DATA),service/sample_data)" --output build/bench

bench-accuracy: venv  ## how right the model is, beside its rivals, on DATA=folder of NAME_train and NAME_test tables
	@$(VENV)/python tests/bench/accuracy.py "$(DATA)" --output build/bench

bench-serving: venv  ## what a request costs, beside the limits, the naive way and five other servers
	@$(VENV)/python tests/bench/serving.py --output build/bench

bench-releases: venv  ## how long deploys, rollbacks and refusals take, on a Docker host, with BUNDLE
	@PYTHONPATH=tests/stack:scripts:service $(VENV)/python tests/bench/releasing.py "$(BUNDLE)" --output build/bench

bench-memory: venv  ## does the memory of training stay flat? trains on 0.7 and 2.8 GB of texts
	@$(VENV)/python tests/bench/memory.py --output build/bench --batch-size 1024

lint: venv  ## the checks that need no host
	@$(VENV)/python -m pytest tests/lint

lock: venv  ## resolve requirements.in and service/requirements.in into their locks
	@$(VENV)/python scripts/lock.py

venv:  # the control machine's environment, made anew when the lock changes
	@$(PYTHON) scripts/environment.py

.PHONY: help up down status rollback smoke-ec2 train evaluate compare test prove bench bench-pipeline bench-accuracy bench-serving bench-memory bench-releases lint lock venv
