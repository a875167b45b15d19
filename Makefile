# The habits of the house. All of it works with PATH and HOME alone.
PYTHON ?= python3
BIN := .venv/bin
VENV := .venv/.installed
SAM := build/sam-venv/bin/sam
SAM_VERSION := 1.170.0
FUNCTIONS := DispatchFunction SyncFunction MatchFunction ApiFunction DeliverFunction WebhookFunction

.PHONY: client demo serve trace smoke test coverage fuzz bench bench-cost lint lint-sam format package
.DEFAULT_GOAL := test

# MAIL and PORT count on make's command line only: login shells export a MAIL of their own.
demo: $(VENV)  ## the whole system over sample mails, or with MAIL=DIR over every .eml of a folder
	@$(BIN)/python -m infra.local.demo $(if $(filter command,$(origin MAIL)),--mail "$(MAIL)")

serve: $(VENV)  ## the same, and stays up; PORT=n for the HTTP API
	@$(BIN)/python -m infra.local.serve $(if $(filter command,$(origin PORT)),--port "$(PORT)")

trace: $(VENV)  ## ID='<...>': a mail's whole walk by its Message-ID, from `make serve` or ABLAGE_URL
	@$(BIN)/python -m infra.local.trace $(if $(filter command,$(origin ID)),"$(ID)")

smoke: $(VENV)  ## STACK=name: live checks of a deployed stack, with your AWS credentials; SMOKE_TOKEN for the API
	@$(BIN)/python -m infra.smoke $(if $(filter command,$(origin STACK)),"$(STACK)")

test: $(VENV)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

coverage: $(VENV)  ## the same with branch coverage, in twice the time
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term:skip-covered

fuzz: $(VENV) .venv/.fuzz  ## ten minutes, or FUZZ_SECONDS; failing inputs stay in build/fuzz
	FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -q --numprocesses auto tests/fuzz
	@mkdir -p build/fuzz
	$(BIN)/python -m tests.fuzz

bench: $(VENV)  ## what it costs, as JSON; ONLY=pull,idle for these alone
	@$(BIN)/python -m tests.bench $(if $(filter command,$(origin ONLY)),"$(ONLY)")

bench-cost: $(VENV)  ## a month's bill from counted calls and public prices, beside the plain design
	@$(BIN)/python -m tests.bench.cost

lint: $(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cfn-lint --append-rules infra/rules -- infra/template.yaml
	$(BIN)/python -m infra.local.translate
	$(if $(wildcard functions/api/openapi.py),$(BIN)/python -m api.openapi --check)

# SAM's command line pins its own boto3, so it lives apart.
lint-sam: $(SAM)
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 \
	  $(SAM) validate --lint --template infra/template.yaml

format: $(VENV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: $(VENV)  ## what Lambda gets, in build/functions; PYTHON313=... names a python3.13
	rm -rf build/functions
	@for function in $(FUNCTIONS); do \
	  mkdir -p build/functions/$$function && \
	  $(MAKE) --no-print-directory -C functions build-$$function PYTHON="$(CURDIR)/$(BIN)/python" \
	    ARTIFACTS_DIR="$(CURDIR)/build/functions/$$function" || exit 1; \
	done

client: $(VENV)  ## a typed Python client of the API, in build/ablage_client
	@mkdir -p build && printf '%s\n' 'package_name_override: ablage_client' 'post_hooks: []' > build/client.yml
	$(BIN)/openapi-python-client generate --path docs/openapi.json --config build/client.yml \
	  --meta none --output-path build/ablage_client --overwrite --fail-on-warning

$(VENV): pyproject.toml functions/requirements.txt
	@echo "fetching the pinned packages into .venv: a minute or so, once"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/.fuzz: pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

$(SAM):
	$(PYTHON) -m venv build/sam-venv
	build/sam-venv/bin/python -m pip install --quiet --disable-pip-version-check aws-sam-cli==$(SAM_VERSION)
