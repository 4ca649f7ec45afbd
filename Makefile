# Everything a newcomer needs; `make help` lists it.
#
# Variables:
#   PYTHON       interpreter that makes the environment (default: the first of python3,
#                python3.13, python3.12, python3.11 that is 3.11 to 3.13)
#   TORCH_INDEX  address of the wheel index that PyTorch's install page gives for your GPU or CPU
#                (default: the one pip is configured with)
#   RESOLUTION   voxels along the longest side (default: chosen by the run, larger on a GPU)
#   IMAGE        picture for `make image`
#   WORKERS      test processes side by side (default: 2; 0 runs all in one)
#   CONFIG       file for `make evaluate` (default: configs/eval/default.yaml)
#   FUZZ, KILLS, CORPUS  options of these campaigns, such as FUZZ="--kind ply --seed 123"

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n '/^torch==/p' requirements.lock)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

WORKERS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test check lint types format docs dist lucy thai engine image meshes \
  fidelity-512 fidelity-settings size speed speed-gpu scaling evaluate \
  fuzz kills corpus audit clean bench bench-gpu bench-scale fidelity-study level-rivals inside-table

help:  ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9 -]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' Makefile

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
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

check: lint types docs dist test  ## everything a change has to pass

lint: $(STAMP)  ## style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)  ## static types
	$(BIN)/mypy

format: $(STAMP)  ## write the format that lint asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## the documentation as web pages, docs/_build/index.html; warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build

dist: $(STAMP)  ## source archive and wheel in dist/, with their metadata checked
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

lucy thai engine: $(STAMP)  ## fit, extract and judge one shape (RESOLUTION=256)
	$(BIN)/python -m pipelines.shape configs/$@.yaml $(if $(RESOLUTION),--resolution $(RESOLUTION))

image: $(STAMP)  ## fit a picture (IMAGE=photo.png)
	@test -n '$(IMAGE)' || { echo "name a picture: make image IMAGE=photo.png" >&2; exit 1; }
	$(BIN)/python -m pipelines.image configs/image.yaml --image '$(IMAGE)'

meshes: $(STAMP)  ## every mesh in the folders of GEOM_MINER_DATA, one table
	$(BIN)/python -m pipelines.collection configs/collection.yaml

STUDIES := ablation fidelity decoders decimation inside-test
.PHONY: $(STUDIES)
WITH_RESOLUTION = $(if $(RESOLUTION),--resolution $(RESOLUTION))

ablation: $(STAMP)  ## study: what each setting of a fit is worth (RESOLUTION=128)
fidelity: $(STAMP)  ## study: how near fits come to the surface, beside what the grid allows (RESOLUTION=256)
decoders: $(STAMP)  ## study: ways from a fit to a mesh: its samples or between them (RESOLUTION=256)
decimation: $(STAMP)  ## study: levels of detail beside decimated meshes (RESOLUTION=256)
inside-test: $(STAMP)  ## study: which test decides inside for each mesh, and how right it is (RESOLUTION=256)
$(STUDIES):
	$(BIN)/python -m pipelines.studies.$(subst -,_,$@) configs/$(subst -,_,$@).yaml $(WITH_RESOLUTION)

fidelity-512: $(STAMP)  ## study: fidelity at 512^3 for the presets that are used there
fidelity-settings: $(STAMP)  ## study: what the settings of preset surface are worth (RESOLUTION=128)
fidelity-512 fidelity-settings:
	$(BIN)/python -m pipelines.studies.fidelity configs/$(subst -,_,$@).yaml $(WITH_RESOLUTION)

size: $(STAMP)  ## study: bytes beside errors, of our files, Draco and others, and of pictures
	$(BIN)/python -m pipelines.studies.size configs/size.yaml

speed: $(STAMP)  ## benchmark: speed against the released algorithm, as ratios in one run
speed-gpu: $(STAMP)  ## benchmark: the same on a CUDA GPU, with Lucy up to 1024^3
speed speed-gpu:
	$(BIN)/python -m pipelines.benchmarks.speed configs/$(subst -,_,$@).yaml

scaling: $(STAMP)  ## benchmark: growth up to 4096^3, 25.6 M triangles beside Open3D, same file after a kill
	$(BIN)/python -m pipelines.benchmarks.scaling configs/scaling.yaml

evaluate: $(STAMP)  ## methods by shapes by budgets, and one page about them (CONFIG=configs/eval/srb.yaml)
	$(BIN)/python -m eval batch $(or $(CONFIG),configs/eval/default.yaml) $(if $(RESOLUTION),--resolution $(RESOLUTION))

fuzz: $(STAMP)  ## campaign: faulty inputs of every kind (FUZZ="--kind ply --seed 123" repeats one)
	$(BIN)/python -m pipelines.campaigns.fuzz configs/fuzz.yaml $(FUZZ)

kills: $(STAMP)  ## campaign: commands that are killed, stopped and run short, then run again
	$(BIN)/python -m pipelines.campaigns.kills configs/kills.yaml $(KILLS)

corpus: $(STAMP)  ## campaign: every mesh file of this machine's packages, read by us and by others
	$(BIN)/python -m pipelines.campaigns.corpus configs/corpus.yaml $(CORPUS)

# The tools have an environment of their own: none of their requirements becomes the project's.
AUDIT := build/audit
AUDIT_TOOLS := pip-audit==2.10.1 cyclonedx-bom==7.2.1

audit: $(STAMP)  ## list of all requirements (SBOM), and the vulnerabilities known of them
	@test -x $(AUDIT)/bin/pip-audit || { $(BIN)/python -m venv $(AUDIT) && \
	  $(AUDIT)/bin/python -m pip install --quiet $(AUDIT_TOOLS); } || { rm -rf $(AUDIT); \
	  echo "the tools of the audit could not be installed; run this again with a network" >&2; \
	  exit 1; }
	$(AUDIT)/bin/cyclonedx-py requirements --output-file build/sbom.json requirements.lock
	@rm -f build/audit.json; $(AUDIT)/bin/pip-audit --requirement requirements.lock --no-deps \
	  --disable-pip --progress-spinner off --format json --output build/audit.json \
	  2> build/audit.log || true
	@$(BIN)/python -m pipelines.campaigns.audit_report build/audit.json

clean:  ## remove caches and build products; keeps .venv and runs
	rm -rf build dist docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find geom_miner eval pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Earlier names of targets.
bench: speed
bench-gpu: speed-gpu
bench-scale: scaling
fidelity-study: fidelity-settings
level-rivals: decimation
inside-table: inside-test
