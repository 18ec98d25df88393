# Everything happens in .venv; PYTHON names the interpreter that it is made with (3.11 or newer).
PYTHON ?= $(shell for one in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$one -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)
VENV := .venv
# A labelled folder for the demo.
DATA ?=
export DATA
# The usual torch brings CUDA, several gigabytes that a machine without a GPU has no use for; this index has one without.
# Empty: whatever torch the usual index has.
TORCH_INDEX ?= $(shell command -v nvidia-smi >/dev/null 2>&1 || echo https://download.pytorch.org/whl/cpu)

.PHONY: demo data test quick lint format pictures man catalogues clean

# The data first: nobody should wait for an installation to be told of a wrong path.
demo: data $(VENV)/installed
	$(VENV)/bin/monitor demo --state-link state $(if $(DATA),--data "$$DATA")

data:
	@test -z "$$DATA" || for part in train proliv test; do test -d "$$DATA/$$part" || { \
		echo "make demo: DATA=$$DATA has no folder $$part: see \"Labelled folders\" in README.md" >&2; exit 1; }; done

test: $(VENV)/installed
	# One thread for each worker: those of several workers would wait for each other. One worker more than there are
	# cores, because tests of the whole system mostly wait; they come first, and an idle worker takes tests from others.
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 3 --dist worksteal

quick: $(VENV)/installed
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist worksteal \
		-m "not process and not server and not system"

lint: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

format: $(VENV)/installed
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

pictures: $(VENV)/installed
	$(VENV)/bin/python -m docs.draw_pictures

# The manual pages of all commands; a test says when they are not those of the code any more.
man: $(VENV)/installed
	$(VENV)/bin/python -m docs.write_man_pages

# The translations of the page, with new texts added; a test says when one is missing.
catalogues: $(VENV)/installed
	$(VENV)/bin/python -m docs.write_catalogues

clean:
	rm -rf $(VENV) build dist

$(VENV)/installed: pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "Installing into $(VENV), once: about 1.6 GB on the disk, and some minutes."
	$(PYTHON) -m venv $(VENV)
	@# An index that does not answer would be asked again and again for every package.
	@if test -n "$(TORCH_INDEX)" && $(VENV)/bin/python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=10)' \
		"$(TORCH_INDEX)/torch/" 2>/dev/null; then \
		$(VENV)/bin/python -m pip install --constraint constraints.txt --extra-index-url "$(TORCH_INDEX)" torch; fi
	$(VENV)/bin/python -m pip install --constraint constraints.txt --editable '.[all,development]'
	@touch $@
