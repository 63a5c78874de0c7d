# The README's commands. Each makes what it needs: a virtual environment in .venv, packages, weights, a browser.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)# Jupyter refuses root, who is the only user in many containers
export PIP_PROGRESS_BAR ?= on

.PHONY: demo lab test lint notebooks clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed
	@$(BIN)/python -m nbaudio demo notebooks/01_quickstart.ipynb --to build/demo

lab: $(VENV)/.installed
	@$(BIN)/python -m nbaudio models fetch
	$(BIN)/python -m jupyter lab $(AS_ROOT) notebooks/01_quickstart.ipynb

test: $(VENV)/.tests-installed
	@$(BIN)/python -m nbaudio models fetch
	@sh tests/ui/install_browser.sh $(BIN)/python
	@$(BIN)/python tests/nodejs.py
	@$(BIN)/python tests/judges/environments.py litellm & \
	{ set -x; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy; } && wait $$!
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/ui
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/ui -m page
	$(BIN)/python -m pytest tests/ui -m "not page"
	sh tests/other_interpreters.sh

lint: $(VENV)/.tests-installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --upgrade pip
	@echo "Installing nbaudio with its offline engine and JupyterLab (840 MB on disk, once) ..."
	$(PIP) install --quiet --editable '.[serve,notebook]'
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.installed
	@echo "Installing what the tests need ..."
	$(PIP) install --quiet --editable '.[ray,notebook]' --group test
	@touch $@

clean:
	rm -rf $(VENV) build
