# Everything a newcomer needs; `make help` lists it.
#
# Variables:
#   PYTHON       interpreter that makes the environment (default: the first of python3,
#                python3.13, python3.12, python3.11 that is 3.11 to 3.13)
#   TORCH_INDEX  address of the wheel index that PyTorch's install page gives for your GPU or CPU
#                (default: the one pip is configured with)
#   RESOLUTION   voxels along the longest side (default: chosen by the run, larger on a GPU)
#   IMAGE        picture for `make image`
#   CONFIG       file for `make evaluate` (default: configs/eval/default.yaml)

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n '/^torch==/p' requirements.lock)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test check lint types format lucy thai engine image meshes bench bench-gpu \
  bench-scale fidelity fidelity-512 fidelity-study decoders level-rivals \
  ablation learn-start inside-table evaluate clean

help:  ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z -]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make .venv from requirements.lock; renewed when the lock changes

$(STAMP): requirements.lock pyproject.toml
	@python='$(PYTHON)'; \
	if [ ! -x $(BIN)/python ]; then \
	  if [ -z "$$python" ]; then \
	    for p in python3 python3.13 python3.12 python3.11; do \
	      if $$p -c '$(SUPPORTED)' 2>/dev/null; then python=$$p; break; fi; \
	    done; \
	  fi; \
	  if [ -z "$$python" ]; then \
	    echo "geom_miner needs Python 3.11, 3.12 or 3.13 and none was found;" \
	      "install one, or name one: make setup PYTHON=/path/to/python3.12" >&2; exit 1; \
	  fi; \
	  if ! $$python -c '$(SUPPORTED)'; then \
	    echo "geom_miner needs Python 3.11, 3.12 or 3.13; $$python is another" >&2; exit 1; \
	  fi; \
	  echo "making $(VENV) with $$($$python --version)"; \
	  $$python -m venv $(VENV) || { \
	    echo "the environment could not be made; where Python comes without venv" \
	      "install it (Debian, Ubuntu: python3-venv)" >&2; rm -rf $(VENV); exit 1; }; \
	fi
	$(BIN)/python -m pip install --quiet '$(TORCH)' $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)')
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest

check: lint types test  ## everything a change has to pass

lint: $(STAMP)  ## style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)  ## static types
	$(BIN)/mypy

format: $(STAMP)  ## write the format that lint asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lucy thai engine: $(STAMP)  ## fit, extract and judge one shape (RESOLUTION=256)
	$(BIN)/python -m pipelines.shape configs/$@.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

image: $(STAMP)  ## fit a picture (IMAGE=photo.png)
	@test -n '$(IMAGE)' || { echo "name a picture: make image IMAGE=photo.png" >&2; exit 1; }
	$(BIN)/python -m pipelines.image configs/image.yaml --image '$(IMAGE)'

meshes: $(STAMP)  ## every mesh in the folders of GEOM_MINER_DATA, one table
	$(BIN)/python -m pipelines.collection configs/collection.yaml

bench: $(STAMP)  ## speed against the released algorithm, as ratios in one run
	$(BIN)/python -m pipelines.benchmark configs/bench.yaml

bench-gpu: $(STAMP)  ## the same on a CUDA GPU, with Lucy up to 1024^3
	$(BIN)/python -m pipelines.benchmark configs/bench_gpu.yaml

bench-scale: $(STAMP)  ## growth up to 4096^3, 25.6 M triangles beside Open3D, same file after a kill
	$(BIN)/python -m pipelines.growth configs/bench_scale.yaml

ablation: $(STAMP)  ## what each setting of a fit is worth, one table (RESOLUTION=128)
	$(BIN)/python -m pipelines.ablation configs/ablation.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

fidelity: $(STAMP)  ## how near fits come to the surface, beside what the grid allows (RESOLUTION=256)
	$(BIN)/python -m pipelines.fidelity configs/fidelity.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

fidelity-512: $(STAMP)  ## the same at 512^3 for the presets that are used there
	$(BIN)/python -m pipelines.fidelity configs/fidelity_512.yaml

fidelity-study: $(STAMP)  ## what the settings of preset surface are worth (RESOLUTION=128)
	$(BIN)/python -m pipelines.fidelity configs/fidelity_study.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

decoders: $(STAMP)  ## ways from a fit to a mesh: its samples or between them (RESOLUTION=256)
	$(BIN)/python -m pipelines.decoders configs/decoders.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

level-rivals: $(STAMP)  ## levels of detail beside decimated meshes of as many triangles (RESOLUTION=256)
	$(BIN)/python -m pipelines.level_rivals configs/level_rivals.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

learn-start: $(STAMP)  ## learn where block MLPs start, from meshes in GEOM_MINER_DATA
	$(BIN)/python -m pipelines.learn_start configs/learn_start.yaml

inside-table: $(STAMP)  ## which test decides inside for each mesh, and how right it is (RESOLUTION=256)
	$(BIN)/python -m pipelines.inside_table configs/inside_table.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

evaluate: $(STAMP)  ## methods by shapes by budgets, and one page about them (CONFIG=configs/eval/srb.yaml)
	$(BIN)/python -m eval batch $(or $(CONFIG),configs/eval/default.yaml) $(if $(RESOLUTION),--resolution $(RESOLUTION))

clean:  ## remove caches and build products; keeps .venv and runs
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find geom_miner eval pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +
