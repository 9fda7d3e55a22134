# Everything a newcomer runs. Needs make and Python 3.11 or newer with its venv module.

BIN := .venv/bin
STAMP := .venv/.installed
# The first of these that is new enough; PYTHON=... overrides.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
# Each worker has a server of its own; TESTS=tests/unit runs a part.
WORKERS ?= 2
TESTS ?= tests

QUICK := tests/unit tests/pyorm/data_layer/test_repository.py tests/database/verify \
    tests/database/execute/test_apply.py tests/end_to_end/test_bring_your_own_service.py

# pip with a sign of life: seconds and packages so far, then its own words when it fails.
INSTALL := set -e; install() { \
    echo "installing into .venv, once: about 100 MB to download, 350 MB on disk, 20 s to a few minutes"; \
    $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt "$$@" \
        > .venv/install.log 2>&1 & pip=$$!; trap 'kill $$pip' INT TERM; seconds=0; \
    while kill -0 $$pip 2>/dev/null; do \
        sleep 1; seconds=$$((seconds + 1)); \
        if [ -t 1 ]; then end='\r'; elif [ $$((seconds % 3)) = 0 ]; then end='\n'; else continue; fi; \
        printf "  %3d s, %d packages so far$$end" $$seconds "$$(grep -c '^Collecting' .venv/install.log)"; \
    done; \
    if [ -t 1 ]; then echo; fi; \
    wait $$pip || { tail -n 20 .venv/install.log >&2; exit 1; }; \
}; install

.DELETE_ON_ERROR:
.PHONY: help demo test test-quick test-matrix test-faults real chaos lint format sync bench compare architecture pictures recording reports docs release constraints clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r name text; do printf 'make %-12s %s\n' "$$name" "$$text"; done

demo: $(STAMP) ## see a live service brought to the standard and back, in a minute (KEEP=1 keeps it)
	@$(BIN)/trueup demo $(if $(KEEP),--keep)

test: $(STAMP) ## run all tests, against real servers (TESTS=path for a part, WORKERS=n)
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(TESTS)

test-quick: $(STAMP) ## run a cross-section of them, in about a minute
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(QUICK)

test-matrix: $(STAMP) ## run them on PostgreSQL 14 to 18 and on each Python that is here
	@$(BIN)/python tests/matrix/run.py -- -n $(WORKERS) $(TESTS)

test-faults: $(STAMP) ## end runs at every boundary of every file, in every way (minutes)
	@FAULTS=full $(BIN)/python -m pytest -q -n $(WORKERS) tests/faults

real: $(STAMP) ## bring applications from PyPI there and back (minutes; ONLY=name for one)
	@PYTHONPATH=tests $(BIN)/python -m real $(ONLY)

chaos: $(STAMP) ## clients, every phase and a nemesis at once (MINUTES=10, SEED=n for the same choices)
	@PYTHONPATH=tests SEED=$(SEED) MINUTES=$(MINUTES) $(BIN)/python -m chaos

lint: $(STAMP) ## check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(STAMP) ## put the code into its style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

sync: $(STAMP) ## write pyorm's sync modules from the async ones
	@$(BIN)/python tests/support/sync_twins.py

bench: $(STAMP) ## measure (BENCH=full for all sizes, ONLY=name for a part, JSON=file)
	@$(BIN)/python -m compileall -q runner pyorm  # as whoever installs it has them
	@PYTHONPATH=tests BENCH=$(BENCH) BENCH_JSON=$(JSON) $(BIN)/python -m bench $(ONLY)

compare: $(STAMP) ## measure for a minute or two, and warn of ratios that got worse
	@$(BIN)/python -m compileall -q runner pyorm
	@PYTHONPATH=tests $(BIN)/python -m bench.compare $(if $(KEEP),--write)

architecture: $(STAMP) ## draw docs/architecture.svg from the code's own imports
	@PYTHONPATH=tests $(BIN)/python -m architecture

pictures: $(STAMP) ## draw docs/phase-*.svg
	@$(BIN)/python tests/release/phases.py

recording: $(STAMP) ## record docs/demo.svg from a run of the demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=tests $(BIN)/python -m support.recording docs/demo.svg trueup demo

reports: $(STAMP) ## make docs/reports and their pictures from real rehearsals
	@$(BIN)/python tests/release/reports.py

docs: $(STAMP) .venv/.docs ## build the documentation into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "built: build/site/index.html; to search, too: $(BIN)/python -m http.server --directory build/site"

release: $(STAMP) .venv/.release ## build what is published into dist, check it, try it in a clean environment
	@$(BIN)/python tests/release/run.py

constraints: $(STAMP) ## pin the newest versions that pyproject.toml allows; needs uv
	@uv=$$(PATH="$(CURDIR)/$(BIN):$$PATH" command -v uv) || \
	    { echo "make constraints: no uv; install it: $(BIN)/pip install uv" >&2; exit 1; }; \
	"$$uv" pip compile pyproject.toml --quiet --upgrade --all-extras --universal \
	    --python-version 3.11 --no-header --no-annotate \
	    --no-emit-package pyorm --no-emit-package trueup --output-file constraints.txt

clean: ## remove what make made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml pyorm/pyproject.toml constraints.txt
	@python=; for candidate in $(PYTHONS); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "make: no Python 3.11 or newer among: $(PYTHONS); install one, or name it: make PYTHON=..." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "make: $$python has no venv module; install it (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; \
	fi; \
	$(BIN)/python -c 'import pip' 2>/dev/null || { echo "making .venv with $$python"; "$$python" -m venv --clear .venv; } || exit 1; \
	$(INSTALL) -e ./pyorm -e '.[dev]'; $(BIN)/python -m compileall -q runner pyorm; touch $@

.venv/.docs .venv/.release: .venv/.%: $(STAMP) pyproject.toml
	@$(INSTALL) -e '.[$*]'; touch $@
