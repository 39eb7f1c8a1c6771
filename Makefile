# What there is to do here; `make` alone lists it. Nothing but `setup`, `constraints` and `pin-images`
# needs a network, and `setup` only when pyproject.toml or constraints.txt have changed.

PYTHON ?= python3
ARGS ?=
NETWORK ?= all
OUT ?= build/weights
REGISTRY ?=
PEERS ?= mosec==0.9.8 litserve==0.2.19 ray[data]==2.60.0

comma := ,
BIN := .venv/bin
EXTRAS := workers,local,train,imagenet,onnx,timm,huggingface,hub,traces,dev,docs
# Twice quiet: pip's warnings are left out, its errors are not, and its exit status counts.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help setup demo up test deep mutations faults bombs fuzz check format docs docs-serve references train \
	evaluate bench bench-quick bench-gpu bench-scheduling decoding-parity model-parity peers gpu-check \
	constraints passwords pin-images clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| awk -F '\t' '{ printf "  make %-17s%s\n", $$1, $$2 }'

setup: .venv/.installed ## Make .venv and install everything, pinned by constraints.txt

demo: setup ## Start a whole stack, run a real job on it, show its results, stop it
	@$(BIN)/python -m examples.demo $(ARGS)

up: setup ## Run the stack on this machine until Ctrl-C (ARGS="--port 9000 --workers 2")
	@$(BIN)/pixelmill up $(ARGS)

test: setup ## Run the tests (ARGS="tests/unit -k lease")
	@$(BIN)/python -m pytest $(ARGS)

deep: setup ## Run the long proofs, hours of them, or some; write docs/deep.md (ARGS="fuzz bombs")
	@$(BIN)/python -m tests.deep $(ARGS)

mutations: setup ## Plant faults in the code and see tests go red; write docs/mutations.md (ARGS="lease")
	@$(BIN)/python -m tests.mutations $(ARGS)

faults: setup ## Break real stacks in every way, five seeds each; count what is lost (a quarter of an hour)
	@PIXELMILL_FAULT_SEEDS=5 $(BIN)/python -m pytest tests/faults -n 4 --dist loadfile $(ARGS)

bombs: setup ## Send small files that ask for much through a real stack, beside another tenant's small jobs
	@$(BIN)/python -m pytest tests/bombs -s $(ARGS)

fuzz: setup ## Send mutated pictures, films and archives through a real stack (ARGS="--seed 15 --films 50")
	@$(BIN)/python -m tests.odd.fuzz $(ARGS)

check: setup ## Lint, format, types and layers: what must be clean before a commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## Build the site of docs/ into build/site, without a network
	@$(BIN)/zensical build --strict $(ARGS)

docs-serve: setup ## Show the site of docs/ and build it anew with each change
	@$(BIN)/zensical serve $(ARGS)

references: setup ## Write the pages of docs/ that are made of the code
	@$(BIN)/python -m deploy.documentation

format: setup ## Put the code into its form and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: setup ## Train the shipped networks anew, or one (NETWORK=digits OUT=build/weights)
	@$(BIN)/python -m models.train $(NETWORK) --out $(OUT) $(ARGS)

evaluate: setup ## Measure the shipped networks and hold them to their cards
	@$(BIN)/python -m models.evaluate $(ARGS)

bench: setup ## Measure everything against the bare network and the peers (40 minutes; ARGS="photos")
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: setup ## The same with less of everything, in minutes; fails only on wrong labels
	@$(BIN)/python -m benchmarks --quick $(ARGS)

decoding-parity: setup ## Hold fast against exact decoding on the photos in build/photos (docs/performance.md)
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[imagenet]"
	@$(BIN)/python -m benchmarks.parity.decoding_parity $(ARGS)

model-parity: setup ## Hold networks of others against their own libraries (ARGS="timm onnx-heads")
	@HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.parity.model_parity $(ARGS)

bench-scheduling: setup ## Measure claims under a million shards, and fairness on a whole stack
	@$(BIN)/python -m benchmarks.rows.claims
	@$(BIN)/python -m benchmarks.rows.fairness $(ARGS)

peers: setup ## Install those that `make bench` compares with, each in its own environment
	@for peer in $(PEERS); do \
		folder=build/peers/$${peer%%[=[]*}; \
		test -x $$folder/bin/python || $(BIN)/python -m venv $$folder; \
		$$folder/bin/python -c "$$SHARE" "$$($(BIN)/python -c "$$WHERE")"; \
		$$folder/bin/python -m pip --disable-pip-version-check -qq install "$$peer"; \
	done

gpu-check: ## Prove the CUDA path on this machine's GPU (needs only torch, torchvision, opencv, safetensors)
	@$(PYTHON) -m benchmarks.gpu.check

bench-gpu: ## Measure decoding, ResNet-50 and both together on this machine's GPU (needs the same)
	@$(PYTHON) -m benchmarks.gpu.speed $(ARGS)

constraints: setup ## Choose the newest versions that go together and pin them
	@$(PIP) install "uv>=0.9"
	@$(BIN)/uv pip compile --quiet --upgrade --python $(BIN)/python --no-annotate --no-header \
		$(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) \
		pyproject.toml -o .venv/resolved.txt
	@{ head -n 3 constraints.txt; grep -vE '^(nvidia-|cuda-|triton=)' .venv/resolved.txt; } \
		> .venv/constraints.txt
	@mv .venv/constraints.txt constraints.txt
	@rm .venv/resolved.txt
	@grep -c == constraints.txt | sed 's/$$/ versions are pinned; run make test and make check./'

passwords: ## Add the passwords that docker-compose.yml asks for to .env, those that are missing
	@sh deploy/passwords.sh

pin-images: setup ## Write each foreign image's digest behind its tag (REGISTRY=https://...)
	@$(BIN)/python deploy/pin_images.py --registry "$(REGISTRY)"

clean: ## Remove .venv and all that can be made again; data in .pixelmill stays
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# setuptools comes first and builds outside pip's isolation, so that a changed pyproject.toml is
# installed again without a download.
.venv/.installed: pyproject.toml constraints.txt
	@echo "installing into .venv (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install -c constraints.txt "setuptools>=77"
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[$(EXTRAS)]"
	@$(BIN)/python -m models.imagenet
	@touch $@

# The folder of an environment's packages, and a file in a peer's own that lets it see ours: networks
# and preprocessing are the same for everybody, and torch is installed once.
define WHERE
import sysconfig; print(sysconfig.get_paths()["purelib"])
endef
define SHARE
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_paths()["purelib"], "pixelmill.pth").write_text(sys.argv[1])
endef
export WHERE SHARE
