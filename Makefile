# Everything happens in .venv; PYTHON names the interpreter that it is made with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
DATA ?=

.PHONY: demo test quick lint format clean

demo: $(VENV)/installed
	$(VENV)/bin/monitor demo $(if $(DATA),--data "$(DATA)")

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

clean:
	rm -rf $(VENV) build dist

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all,development]'
	touch $@
