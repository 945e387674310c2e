# Everything happens in .venv; the first call makes it, later ones find it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
# A process a core, and one thread a process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
METADATA := setup.cfg pyproject.toml constraints.txt

.PHONY: demo test test-fast test-full bench docs reports lint clean

demo: $(VENV)/.installed  ## compare two bundled corpora and write a report
	@$(BIN)/xembed demo

test: $(VENV)/.installed-test  ## all tests, statistical ones at reduced size
	$(PYTEST)

test-fast: $(VENV)/.installed-test  ## what takes seconds, without a browser
	$(PYTEST) -m "not slow and not browser"

test-full: $(VENV)/.installed-test  ## all tests at full size (an hour)
	XEMBED_FULL=1 $(PYTEST)

bench: $(VENV)/.installed-test  ## what is timed, as ratios within one run
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -s

docs: $(VENV)/.installed-docs  ## the documentation: tutorials are run, a warning is an error (some minutes)
	rm -rf docs/_build docs/reference/generated
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

# The pictures need what the tests need: playwright and Chromium.
reports: $(VENV)/.installed  ## the gallery, by the commands that reports/README.md names, and its pictures (nine minutes)
	@sed -n 's/.*`xembed \([^`]*--out reports[^`]*\)`.*/\1/p' reports/README.md | while read -r line; do \
		echo "xembed $$line"; $(BIN)/xembed $$line >/dev/null </dev/null || exit 1; done
	@$(BIN)/python reports/thumbnails.py

lint: $(VENV)/.installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info xembed-demo docs/_build docs/reference/generated

$(BIN)/python:
	@echo "Making $(VENV) (the first time takes a few minutes: PyTorch is large)"
	$(PYTHON) -m venv $(VENV)

# torch first: what depends on it would otherwise bring the build with CUDA.
$(VENV)/.installed: $(BIN)/python $(METADATA)
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) -e '.[offline]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[offline,test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[offline,dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[offline,docs]'
	@touch $@
