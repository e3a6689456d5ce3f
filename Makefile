# synthhost: `make live` plays, `make test` tests; both set up what is missing first.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3.14 python3,$(if $(shell command -v $(p) 2>/dev/null),$(p))))
VENV := .venv
BIN := $(VENV)/bin
MODEL := hifigan-universal
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: live test check format bench soak evaluate demo sanitize arm setup clean

live: $(VENV)/.live
	@scripts/system-packages live
	@$(BIN)/synthhost live $(ARGS)

test: setup
	@$(BIN)/synthhost models pull $(MODEL) || echo "Going on without the pretrained model; its tests are skipped."
	@$(BIN)/pytest $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup $(VENV)/.bench
	@$(BIN)/synthhost models pull $(MODEL)
	@$(BIN)/python -m bench $(ARGS)

soak: setup
	@$(BIN)/pytest -m soak --timeout 1800 $(ARGS)
	@$(BIN)/python -m bench.deadlines --model v2 --tracks 3 --busy --rate 300 --rehearsal 120 --seconds 1800

# Models that were trained here, on material they have not learned from; the first time this fetches it.
evaluate: setup $(VENV)/.train
	@$(BIN)/synthhost evaluate $(ARGS)

# One minute of the models that come along, with effects: stems, a picture, and what can be told of them without ears.
DEMO := takes/demo
demo: setup $(VENV)/.train
	@$(BIN)/synthhost render --score demo/minute.score --set demo --for 60 --out $(DEMO)
	@$(BIN)/synthhost listen $(DEMO) --set demo --picture $(DEMO)/demo.png

# The native tests under the address and undefined-behaviour sanitizers; needs GCC.
sanitize: setup
	@$(BIN)/cmake -S . -B build/sanitize -DSYNTHHOST_SANITIZE=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	  -DSKBUILD_DATA_DIR=build/sanitize -Dnanobind_DIR=$$($(BIN)/python -m nanobind --cmake_dir) >/dev/null
	@$(BIN)/cmake --build build/sanitize -j 2 >/dev/null
	@SYNTHHOST_EXTENSIONS=build/sanitize ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  $(BIN)/pytest tests/native tests/backends/test_native_runner.py tests/backends/test_int8.py \
	  tests/backends/test_threads.py tests/families/test_ddsp.py --timeout 1200 $(ARGS)

# The executor compiled for 64-bit ARM and run by an emulator.
arm: setup
	@scripts/system-packages arm
	@$(BIN)/pytest -m arm tests/native/test_aarch64.py --timeout 1200 $(ARGS)

setup: $(VENV)/.dev
	@scripts/system-packages test

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "synthhost needs Python 3.11 or newer; say which with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make an environment: sudo apt-get install python3-venv"; exit 1; }

NATIVE := CMakeLists.txt $(wildcard synthhost/native/*.cpp synthhost/native/*.hpp)

# What models cost here is remembered, and modules are compiled: the first show begins as soon as later ones.
define REHEARSE
@echo "Rehearsing the default set ..."
@$(BIN)/synthhost live --sink null --osc-port 0 --for 0.01 2>$(VENV)/rehearsal.log || \
  { cat $(VENV)/rehearsal.log; echo "The rehearsal failed, see above; going on without it."; }
endef

$(VENV)/.live: $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	@echo "Installing synthhost into $(VENV) (the first time this fetches torch and takes some minutes) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e .
	$(REHEARSE)
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	@echo "Installing synthhost and its test tools into $(VENV) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(REHEARSE)
	@touch $(VENV)/.live $@

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/.dev
	@echo "Installing what the benchmarks compare with ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	@touch $@

$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/.dev
	@scripts/system-packages train
	@echo "Installing what training needs ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[train]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
