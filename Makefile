# make lab        JupyterLab on examples/, with everything built       make demo   an execution outlives its kernel
# make test       all tests, in parallel                               make lint   ruff, mypy, eslint, strict TypeScript
# make test-long  the tests that take minutes                          make bench  all benchmarks
# make chaos      kills and freezes everything for CHAOS_MINUTES (5), by CHAOS_SEED
# make simulate   hours of an engine in minutes: SIMULATE_MINUTES (5), SIMULATE_SEED
# make test-pythons  the tests of the core and the engine on the other Pythons (3.11, 3.12, 3.13) that are installed
#
# All of it happens inside this checkout: .venv, node_modules and .jupyter-flows are git-ignored. `make PYTHON=…`
# chooses the Python that .venv is made with; LAB_ARGS goes to JupyterLab, TEST_ARGS to pytest.

SHELL := /bin/bash
.DEFAULT_GOAL := lab
.PHONY: lab test test-long test-pythons chaos simulate demo lint bench clean front-end-test

OLDEST_PYTHON := 3.11
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin
STORE := sqlite:///$(CURDIR)/.jupyter-flows/flows.sqlite
LAB_ARGS ?=
TEST_ARGS ?=
# All but those of the browser and of the package's files, which no version of Python changes.
CORE_TESTS := tests/resumable tests/snapshot tests/museum tests/kernel tests/engine tests/store tests/crash tests/test_flow_api.py
# Two workers for each core: most of what the tests do is to wait for kernels, servers and databases.
TEST_WORKERS ?= $(shell echo $$(( 2 * $$(getconf _NPROCESSORS_ONLN) )))
ROOT_MAY := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

FRONT_END := $(shell find labextension jupyter-config -type f \
	-not -path '*/node_modules/*' -not -path '*/lib/*' -not -path '*/coverage/*' -not -name '*.tsbuildinfo')

lab: .venv/installed
	@mkdir -p .jupyter-flows
	JUPYTER_FLOWS_STORE="$${JUPYTER_FLOWS_STORE:-$(STORE)}" PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/jupyter lab $(ROOT_MAY) --ServerApp.root_dir="$(CURDIR)/examples" $(LAB_ARGS)

demo: .venv/installed
	$(BIN)/python examples/demo.py

test: .venv/installed front-end-test
	$(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not long" $(TEST_ARGS)

test-long: .venv/installed
	$(BIN)/python -m pytest -n $(TEST_WORKERS) -m long $(TEST_ARGS)

CHAOS_MINUTES ?= 5
CHAOS_SEED ?= $(shell date +%s)
chaos: .venv/installed
	$(BIN)/python -m tests.crash.chaos --minutes $(CHAOS_MINUTES) --seed $(CHAOS_SEED)

SIMULATE_MINUTES ?= 5
SIMULATE_SEED ?= $(shell date +%s)
simulate: .venv/installed
	$(BIN)/python -m tests.engine.simulation --minutes $(SIMULATE_MINUTES) --seed $(SIMULATE_SEED)

# Each in an environment of its own, .venv-3.12 and so on. pyenv's Pythons are found too.
test-pythons: .venv/installed
	@own=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); failed=0; \
	for minor in 3.11 3.12 3.13; do [ $$minor = $$own ] && continue; \
		python=$$(python$$minor -c 'import sys; print(sys.executable)' 2>/dev/null \
			|| PYENV_VERSION=$$(pyenv latest $$minor 2>/dev/null) python$$minor -c 'import sys; print(sys.executable)' 2>/dev/null) \
			|| { echo "make: Python $$minor is not installed"; continue; }; \
		echo "== Python $$minor"; \
		{ [ -x .venv-$$minor/bin/python ] || $$python -m venv .venv-$$minor; } \
			&& .venv-$$minor/bin/python -m pip install --quiet --disable-pip-version-check -e '.[examples,test,kinds,postgresql,dask,opentelemetry]' \
			&& .venv-$$minor/bin/python -m pytest -n $(TEST_WORKERS) -m "not long" $(CORE_TESTS) $(TEST_ARGS) || failed=1; \
	done; exit $$failed

front-end-test: .venv/installed
	cd labextension && npm test

# Every linter has its say, even after one has failed.
lint: .venv/installed
	@failed=0; for check in "$(BIN)/ruff check ." "$(BIN)/ruff format --check ." "$(BIN)/mypy" \
		"npm --prefix labextension run lint"; do echo "$$check"; $$check || failed=1; done; exit $$failed

bench: .venv/installed
	@for file in benchmarks/[a-z]*.py; do name=$$(basename $$file .py); \
		echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:
	rm -rf .venv .venv-3.* labextension/node_modules labextension/lib jupyter_flows/labextension test-results .jupyter-flows

# The package in editable mode: Python is used from the source tree, the panels are built and copied into .venv.
.venv/installed: .venv/bin/python pyproject.toml hatch_build.py $(FRONT_END)
	@$(call need_node)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[examples,postgresql,test,kinds,lint]'
	@touch $@

.venv/bin/python:
	@$(call need_python)
	@$(call need_node)
	$(PYTHON) -m venv .venv

define need_python
python="$(or $(PYTHON),python3)"; $$python -c '$(NEW_ENOUGH)' 2>/dev/null \
	|| { echo "make: jupyter-flows needs Python $(OLDEST_PYTHON) or newer with its venv module; $$python is \
	$$($$python --version 2>/dev/null || echo missing). Install one (Debian: apt-get install python3-venv) or say \
	make PYTHON=/path/to/python" | tr -s ' \t' ' ' >&2; exit 1; }
endef

define need_node
version=$$(node --version 2>/dev/null) && command -v npm >/dev/null && [ "$$(expr "$$version" : 'v\([0-9]*\)')" -ge 20 ] \
	|| { echo "make: building the JupyterLab panels needs Node.js 20 or newer with npm; found $${version:-none}. Install it and say make again" >&2; exit 1; }
endef
