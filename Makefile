# Each target sets up what it needs; see README.md.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
# The oldest that writes what the protobuf of the extra "agent" reads; newer ones read it too.
PROTOC := grpcio-tools==1.66.2
PURE := hami_admission/settings.py,hami_admission/options.py,*/model/*,*/wire/*,*/vendors/*,*/quota/*,*/admission/*,*/topology/*,*/placement/*,*/node/*,*/cluster/*,*/metrics/*,*/simulate/*,*/doctor/*

# Of the unit tests. Each process starts with a part of the files, in order, and takes tests of
# another when it has none left: so most of what a file's tests share is made in one process only.
WORKERS ?= auto
UNIT := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal \
	--ignore=tests/cluster --ignore=tests/faults --ignore=tests/gpu --ignore=tests/upgrade

.PHONY: demo test checks unit test-cluster test-gpu test-faults soak bench bench-cluster protocol clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/hami-admission demo

protocol: $(STAMP)
	$(BIN)/python -m pip install --quiet '$(PROTOC)'
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. hami_admission/agent/protocol/*.proto

# The checks run beside the tests, and what they say stands below.
test: $(STAMP)
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	$(MAKE) --no-print-directory checks >"$$said" 2>&1 & checks=$$!; \
	$(MAKE) --no-print-directory unit; unit=$$?; \
	wait $$checks; checks=$$?; cat "$$said"; \
	[ $$unit = 0 ] || echo 'make unit failed, see above' >&2; \
	[ $$checks = 0 ] || echo 'make checks failed, see above' >&2; \
	[ $$unit = 0 ] && [ $$checks = 0 ]

checks: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What one process has compiled the others find, also where the environment asks for no such files.
unit: export PYTHONDONTWRITEBYTECODE =
unit: $(STAMP)
	$(UNIT) --cov --cov-report=
	$(BIN)/coverage report --fail-under=95 --include='$(PURE)'

test-cluster: $(STAMP)
	$(BIN)/python -m tests.cluster

test-gpu: $(STAMP)
	$(BIN)/python -m pytest -s tests/gpu

test-faults: $(STAMP)
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/python -m pytest -s tests/faults

soak: $(STAMP)
	HYPOTHESIS_PROFILE="$${HYPOTHESIS_PROFILE:-soak}" $(UNIT) -m hypothesis --timeout=3600
	$(BIN)/python -m tests.cluster.binaries
	FAULT_HOSTILE=1 FAULT_SEEDS="$${FAULT_SEEDS:-$$RANDOM $$RANDOM $$RANDOM}" FAULT_SECONDS="$${FAULT_SECONDS:-1800}" \
		$(BIN)/python -m pytest -s tests/faults

bench: $(STAMP)
	$(BIN)/python -m benchmarks.bench_admit
	$(BIN)/python -m benchmarks.bench_plan
	$(BIN)/python -m benchmarks.bench_rebuild
	$(BIN)/python -m benchmarks.bench_others

bench-cluster: $(STAMP)
	$(BIN)/python -m tests.cluster.binaries
	$(BIN)/python -m benchmarks.bench_policies
	$(BIN)/python -m benchmarks.bench_quota
	$(BIN)/python -m benchmarks.bench_cluster --nodes 1000
	$(BIN)/python -m benchmarks.bench_cluster --nodes 5000

clean:
	rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
