# Nano-EmoX. `make phase1 phase2 phase3` runs the whole curriculum; `make -n phase3` prints it. A phase is done when its
# checkpoint exists, and needs the checkpoints before it. With PRESET=paper DATA=... WEIGHTS=... the same targets train the paper.
PRESET  ?= tiny
SEED    ?= 42
CLIPS   ?= 2400
PYTHON  ?= python3
ifeq ($(PRESET),tiny)
DATA    ?= data/synthetic-$(SEED)-$(CLIPS)
WEIGHTS ?= weights/tiny-$(SEED)
RUN     ?= outputs/tiny-$(SEED)-$(CLIPS)
CORPUS  := $(DATA)/manifest.json
TOWERS  := $(WEIGHTS)/report.json
SIZES   := data.clips=$(CLIPS)
else
DATA    ?= data
WEIGHTS ?= weights
RUN     ?= outputs/$(PRESET)-$(SEED)
endif
VENV    := .venv
NEST    := $(VENV)/installed
RUNNER  := $(VENV)/bin/nano-emox
OPTIONS := --preset $(PRESET) seed=$(SEED) data.root=$(DATA) backbones.root=$(WEIGHTS) output=$(RUN) $(SIZES) $(SET)
FEATURES := $(RUN)/features.json
.DELETE_ON_ERROR:
.PHONY: help setup data backbones features phase1 phase2 phase3 p2e evaluate test faults bench lint clean

help: ## this list
	@echo "make TARGET [PRESET=tiny|paper] [SEED=42] [CLIPS=2400] [DATA=DIR] [WEIGHTS=DIR] [RUN=DIR] [FRESH=1] [SET='key=value ...']"
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' Makefile

setup: $(NEST) ## make .venv and install everything, from the package index
$(NEST): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[model,dev]' -c constraints.txt
	@touch $@

data: $(NEST) $(CORPUS) ## the synthetic corpus (SEED=, CLIPS=)
backbones: $(NEST) $(TOWERS) ## the tiny towers and language model, pre-trained on the synthetic world
features: $(FEATURES) ## run the frozen towers once over every clip
ifeq ($(PRESET),tiny)
$(CORPUS): | $(NEST)
	$(RUNNER) data make $(OPTIONS)
$(TOWERS): | $(NEST)
	$(RUNNER) backbones make $(OPTIONS)
endif
$(FEATURES): $(CORPUS) $(TOWERS) | $(NEST)
	$(RUNNER) features $(OPTIONS)

phase1: $(RUN)/scores/phase1.json ## align each modality with the frozen language model (two branches)
phase2: $(RUN)/scores/phase2.json ## pre-train the fusion experts on intent
phase3: $(RUN)/results.json ## tune on all tasks; the table and the pictures

$(RUN)/phase1_speech.safetensors $(RUN)/phase1_visual.safetensors: $(FEATURES)
$(RUN)/phase2.safetensors: $(RUN)/phase1_speech.safetensors $(RUN)/phase1_visual.safetensors
$(RUN)/phase3.safetensors: $(RUN)/phase2.safetensors
$(RUN)/phase%.safetensors: | $(NEST)
	$(RUNNER) train $(if $(FRESH),--fresh) $(OPTIONS) run=[phase$*]

$(RUN)/scores/phase1.json: $(RUN)/phase1_speech.safetensors $(RUN)/phase1_visual.safetensors
$(RUN)/scores/phase2.json: $(RUN)/phase2.safetensors
$(RUN)/scores/phase3.json: $(RUN)/phase3.safetensors
$(RUN)/scores/%.json: | $(NEST)
	$(RUNNER) evaluate $* --no-report $(OPTIONS)
$(RUN)/results.json: $(RUN)/scores/phase1.json $(RUN)/scores/phase2.json $(RUN)/scores/phase3.json
	$(RUNNER) report $(OPTIONS)

p2e: $(FEATURES) ## all phases in one process and one W&B run, then the table
	$(RUNNER) train $(if $(FRESH),--fresh) $(OPTIONS)
	$(MAKE) --no-print-directory phase3

evaluate: $(NEST) ## score every benchmark found under DATA with the last phase; report.html
	$(RUNNER) evaluate phase3 $(OPTIONS)

test: $(NEST) ## the tests
	$(VENV)/bin/python -m pytest -n auto --dist loadfile

faults: $(NEST) ## the faults, many times over; writes docs/reliability.md
	$(VENV)/bin/python -m pytest tests/faults -n auto --dist loadfile --faults=long --faults-page=docs/reliability.md

bench: $(NEST) ## speed and memory against the released code's work: BENCH='--preset quarter --only train --write-docs'
	$(VENV)/bin/python -m bench $(BENCH)

lint: $(NEST) ## ruff, mypy, and the import contracts
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports

clean: ## remove the synthetic corpora, tiny backbones and their runs; never your own data, weights or runs
	rm -rf data/synthetic-* weights/tiny-* outputs/tiny-* outputs/latest
