# Two commands do everything from a bare clone: `make serve` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SERVE_FLAGS ?=
TEST_FLAGS ?=

INSTALLED := .venv/.installed
INSTALLED_FOR_TESTS := .venv/.installed-for-tests
GRAPHIQL := app/server/graphiql/dist/.built
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

.PHONY: serve test check unit clients torture bench regression schema clean

## Serve on 127.0.0.1:8000 with GraphiQL, on SQLite; SERVE_FLAGS go to `scrollback serve`.
serve: $(INSTALLED) $(GRAPHIQL)
	$(BIN)/scrollback serve $(SERVE_FLAGS)

## Style, types, layers, every test, and how fast it is; TEST_FLAGS go to pytest.
test: check unit regression

check: $(INSTALLED_FOR_TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two processes: the tests wait for servers and disks as much as they compute. A file's tests stay
# in one process, so that what they share is made once.
unit: $(INSTALLED_FOR_TESTS) $(GRAPHIQL) clients
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(TEST_FLAGS)

# The JavaScript clients of the tests, installed once and before several processes want them.
clients:
	@if command -v npm >/dev/null; then for folder in tests/clients tests/browser; do \
	    if [ ! -e $$folder/node_modules/.package-lock.json ] \
	        || [ $$folder/package-lock.json -nt $$folder/node_modules/.package-lock.json ]; then \
	        echo "Installing the clients of $$folder …"; \
	        (cd $$folder && npm ci --silent --no-audit --no-fund \
	            && touch node_modules/.package-lock.json) || exit 1; \
	    fi; done; fi

## The crash and damage tests and the random programs at full scale; at small scale they are among
## the tests.
torture: $(INSTALLED_FOR_TESTS)
	SCROLLBACK_TORTURE=full $(BIN)/pytest tests/torture tests/conformance/test_programs.py $(TEST_FLAGS)

## The measurements of docs/benchmarks.md.
bench: $(INSTALLED_FOR_TESTS)
	$(BIN)/python -m benchmarks

# Shows each ratio to the limit beside what it was. It judges nothing: half a minute on a machine
# that does other work is no measurement, but a collapse is plain to see.
regression: $(INSTALLED_FOR_TESTS)
	$(BIN)/python -m benchmarks --quick --stores sqlite --no-plain --no-stages \
	    --against benchmarks/baseline.json

## Writes schema.graphql anew after a change of app/schema.
schema: $(INSTALLED)
	$(BIN)/scrollback schema > schema.graphql.new
	mv schema.graphql.new schema.graphql

clean:
	rm -rf .venv app/server/graphiql/dist clients/graphiql/node_modules \
	    tests/clients/node_modules tests/browser/node_modules

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Scrollback needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Scrollback into .venv …"
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(INSTALLED_FOR_TESTS): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Scrollback and its test tools into .venv …"
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(INSTALLED)

# Without Node, or without a registry to install from, the page loads GraphiQL from a CDN, and the
# next make tries again.
$(GRAPHIQL): clients/graphiql/package-lock.json clients/graphiql/build.js \
    $(wildcard clients/graphiql/src/*) app/server/graphiql/start.js
	@if ! command -v npm >/dev/null; then \
	    echo "No Node here: GraphiQL will load from a CDN."; \
	elif echo "Bundling GraphiQL …" && cd clients/graphiql \
	    && npm ci --silent --no-audit --no-fund && npm run --silent build; then \
	    touch $(CURDIR)/$@; \
	else \
	    echo "GraphiQL could not be bundled: it will load from a CDN."; \
	fi
