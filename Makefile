# Everything a contributor runs. `make demo` and `make test` need Python 3.10+ and git, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Named so that pip takes this release, and a CPU build of it where one is at hand.
TORCH ?= torch==2.13.0
# The oldest LiteLLM that is supported, the one that pip takes, and the newest.
LITELLM_VERSIONS ?= 1.102.0 latest 1.110.2

# Bodies that `make fuzz` sends, each to a plain group and to the alias.
BODIES ?= 5000

# Requests that `make faults` sends, half of them to aliases.
REQUESTS ?= 20000

# Prompts that `make stream` scores.
PROMPTS ?= 1000000

.PHONY: help demo test versions database fuzz faults overhead blocking lint bench stream shadow-load own-traffic common-sense build results thresholds learning-curves label-choice clean

help:
	@echo "make demo         a real LiteLLM proxy routes real prompts (ONCE=1: then end)"
	@echo "make test         the whole test suite"
	@echo "make versions     the tests of LiteLLM with other releases: LITELLM_VERSIONS='$(LITELLM_VERSIONS)'; goes on where it was stopped"
	@echo "make database     the tests of a LiteLLM proxy with PostgreSQL; needs its programs, and Node.js"
	@echo "make fuzz         BODIES=5000 random bodies, each to a plain group and to a routed alias"
	@echo "make faults       REQUESTS=20000 requests while scorers, upstreams and the config fail"
	@echo "make overhead     time that an alias adds to a request of a proxy, beside the plain group"
	@echo "make blocking     requests per second and health probe of a proxy whose scorer takes 50 ms"
	@echo "make lint         ruff and mypy"
	@echo "make bench        time from text to decision, beside LiteLLM's own router"
	@echo "make stream       PROMPTS=1000000 prompts in a file: memory and rate of calibrate and score"
	@echo "make shadow-load  users' latency with and without shadow mode, the other model well, slow, failing, hanging"
	@echo "make own-traffic  from logs to a better router in a running proxy, on stand-in models; how often intervals hold"
	@echo "make common-sense hard prompts above easy ones, by each bundled router (ROUTERS=mf: by that one)"
	@echo "make results      docs/results.md and its plots, of the bundled routers; DATA=RouteLLM's evals folder"
	@echo "make thresholds   what docs/thresholds.md measures, and its plot; DATA=folder with eval/ and validation/"
	@echo "make learning-curves what labels are worth to routellm adapt, in docs/adapt.md; DATA=folder with eval/, train/ and validation/"
	@echo "make label-choice what labels that routellm label chooses gain over random ones; DATA likewise"
	@echo "make build        build the wheel, install it in an empty environment and use it"

demo: $(VENV)/.demo
	$(BIN)/routellm demo $(if $(ONCE),--once)

# In a process of its own: after the other benchmarks it measures a third of the ratio.
ALONE := tests/benchmarks/speed/test_sw_ranking_speed.py

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/benchmarks
	$(BIN)/python -m pytest tests/benchmarks --ignore=$(ALONE)
	$(BIN)/python -m pytest $(ALONE)

versions:
	$(PYTHON) tests/litellm/versions.py $(LITELLM_VERSIONS)

# LiteLLM's database client for Python, and the query engine that npm has, without a download of
# programs. The database itself is started by the tests.
database: $(VENV)/.dev
	mkdir -p build/database
	cp tests/litellm/database/engine.cjs tests/litellm/database/package.json build/database/
	cd build/database && npm install --ignore-scripts --no-audit --no-fund
	$(BIN)/pip install -q --upgrade --no-deps --target build/database/python "prisma==0.15.*" nodeenv strenum tomlkit
	cp "$$($(BIN)/python -c 'import importlib.util as u; print(u.find_spec("litellm").submodule_search_locations[0])')/proxy/schema.prisma" build/database/
	PATH="$(CURDIR)/build/database/python/bin:$$PATH" PYTHONPATH=build/database/python \
	  PRISMA_QUERY_ENGINE_BINARY="$(CURDIR)/build/database/engine.cjs" \
	  PRISMA_SCHEMA_ENGINE_BINARY="$(CURDIR)/build/database/engine.cjs" \
	  $(BIN)/python -m prisma generate --schema build/database/schema.prisma
	$(BIN)/python -m pytest -q tests/litellm/database

fuzz: $(VENV)/.dev
	ROUTELLM_FUZZ=$(BODIES) $(BIN)/python -m pytest -q tests/litellm/requests/test_fuzz.py

faults: $(VENV)/.dev
	$(BIN)/python -m tests.litellm.faults --requests $(REQUESTS)

overhead: $(VENV)/.dev
	$(BIN)/python -m tests.litellm.measure.overhead

blocking: $(VENV)/.dev
	$(BIN)/python -m tests.litellm.measure.blocking

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m pytest tests/benchmarks --ignore=$(ALONE) -q -s --benchmark-only
	$(BIN)/python -m pytest $(ALONE) -q -s --benchmark-only

stream: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.speed.stream --prompts $(PROMPTS)

shadow-load: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.speed.shadow_load

own-traffic: $(VENV)/.dev
	$(BIN)/python -m examples.own_traffic

common-sense: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.quality.common_sense $(ROUTERS)

# Random is in every table. bert takes two minutes of processor time, causal_llm five.
ROUTERS ?= mf sw_ranking bert causal_llm

results: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "say where: make results DATA=<RouteLLM's evals folder>"; exit 2; }
	rm -rf build/results
	$(BIN)/routellm evaluate $(addprefix --router ,$(ROUTERS)) --benchmark mmlu --benchmark gsm8k --benchmark mt-bench --data $(DATA) --exclude mmlu_gold --no-cache --out build/results
	mkdir -p docs/images
	cp build/results/images/*.svg docs/images/
	cp build/results/report.md docs/results.md

thresholds: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "say where: make thresholds DATA=<folder with eval/routellm_evals and validation/>"; exit 2; }
	ROUTELLM_DATA=$(DATA) $(BIN)/python -m tests.benchmarks.quality.measure_thresholds

learning-curves: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "say where: make learning-curves DATA=<folder with eval/, train/ and validation/>"; exit 2; }
	ROUTELLM_DATA=$(DATA) $(BIN)/python -m tests.benchmarks.quality.learning_curves

label-choice: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "say where: make label-choice DATA=<folder with eval/, train/ and validation/>"; exit 2; }
	ROUTELLM_DATA=$(DATA) $(BIN)/python -m tests.benchmarks.quality.label_choice

build: $(VENV)/.dev
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv build/empty
	build/empty/bin/pip install -q dist/*.whl
	cd build && empty/bin/routellm score --strong-share 0.3 "Why is the sky blue?"

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	@echo "Installing LiteLLM and this package into $(VENV), once; a minute or two ..."
	$(BIN)/pip install -q -e ".[litellm]"
	@touch $@

$(VENV)/.dev: $(VENV)/.venv pyproject.toml
	@echo "Installing everything the tests need into $(VENV), once; a few minutes ..."
	$(BIN)/pip install -q "$(TORCH)"
	$(BIN)/pip install -q -e ".[all,dev]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist
