# The tasks of a developer. They need python3 (3.11 or later) and make; pip installs the rest into .venv.
# You can run each target again at any time: it skips what is done.

PYTHON ?= python3
PORT ?= 8000
BROKERS ?= 1
KAFKA_PORT ?= 9092
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
# In a terminal pip shows its progress. Elsewhere, as in CI, it prints one line, and its errors.
INSTALL = echo "Installing the packages of $(1) into $(VENV)"; \
	if [ -t 1 ] && [ -z "$$CI" ]; then quiet=; else quiet=--quiet; fi; \
	$(PIP) install $$quiet --require-hashes --requirement $(1)
PIP_COMPILE := $(VENV)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --no-emit-options
TEXTS := $(wildcard locale/*/LC_MESSAGES/*.po */locale/*/LC_MESSAGES/*.po */*/locale/*/LC_MESSAGES/*.po)

SITE := mcommerce stations outside eventbus manage.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev translations migrate run kafka test test-all fuzz sweep sweep-postgresql sweep-kafka chaos containers drill rolling days traces mutants lint contract format reference bench screenshots vendor requirements clean

help: ## say what can be done (this list)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(VENV)/.site translations ## fetch what the site runs on into .venv

install-dev: $(VENV)/.dev translations ## fetch what tests and lint need on top

run: free-ports install ## open the shop and the live stations on http://127.0.0.1:8000 (PORT=8010 for another door)
run: export DEMO := 1
run: export SITE_URL ?= http://127.0.0.1:$(PORT)
run: export SANDBOX_PROVIDER_URL ?= http://127.0.0.1:$(shell expr $(PORT) + 1)
run: export SIMULATOR_URL ?= http://127.0.0.1:$(shell expr $(PORT) + 2)
run:
	@[ "$$EVENTBUS_BACKEND" != kafka ] || $(PY) manage.py eventbus topics --apply
	$(PY) manage.py migrate --verbosity 0
	$(PY) manage.py load_demo_catalogue
	$(PY) manage.py demo_admin
	@exec $(PY) manage.py runserver 127.0.0.1:$(PORT)

.PHONY: free-ports
free-ports: # runs before the packages are installed; the installation reports a missing Python
	@! command -v $(PYTHON) >/dev/null || $(PYTHON) -m mcommerce.daphne.free_ports "$(PORT)"

kafka: install ## start a real Apache Kafka on 127.0.0.1:9092, by Docker or Java (BROKERS=3, KAFKA_PORT=9192)
	@exec $(PY) -m tests.kafka --brokers $(BROKERS) --port $(KAFKA_PORT)

test: install-dev ## what to run at each change: lint and tests, a quarter of an hour on two cores
	@exec $(PY) -m pytest

test-all: install-dev ## before a release: what takes minutes as well (docs/testing.md says what that is)
	@exec $(PY) -m pytest -m ""

fuzz: install-dev ## ask every route and form with all that nobody should write, the admin's as well (DATABASE_URL for PostgreSQL)
	$(PY) -m pytest -m fuzz -n0 -s tests/mcommerce/test_bad_input.py

sweep: install-dev ## end the process, the connection, a handler or a thread at every failpoint, by twenty seeds
	$(PY) -m tests.sweep --seeds 20

sweep-postgresql: install-dev ## the same on PostgreSQL, by one seed, threads that hang in transactions too
	$(PY) -m tests.sweep --postgresql

sweep-kafka: install-dev ## the same over a real Kafka and PostgreSQL, by one seed
	$(PY) -m tests.sweep --kafka

CHAOS_SEED ?= 1
CHAOS_SECONDS ?= 600
chaos: install-dev ## faults on real processes over Kafka and PostgreSQL for ten minutes (CHAOS_SEED=7)
	$(PY) -m tests.chaos --seed $(CHAOS_SEED) --seconds $(CHAOS_SECONDS)

days: install-dev ## walk random days in the shop, others each time: RANDOM_DAYS=1000 of them, RANDOM_SEED to see some again, DATABASE_URL for PostgreSQL
days: export RANDOM_DAYS ?= 1000
days: export RANDOM_SEED ?= $(shell date +%s)
days:
	$(PY) -m pytest -m days -n0 -s tests/journeys/test_shop_machine.py -k keeps_its_promises

containers: install-dev ## run the services of compose.yaml without Docker, in namespaces of their own (Linux, as root), and try what strangers could
	$(PY) -m pytest -m containers -n0

FORGOTTEN ?= 60
drill: install-dev ## restore a backup of the whole site over Kafka and PostgreSQL, as the manual says, and tell what it took (FORGOTTEN=60 orders)
	FORGOTTEN_ORDERS=$(FORGOTTEN) $(PY) -m pytest -m kafka -n0 -s -q tests/test_backup.py

rolling: install-dev ## measure what a deploy costs: four workers under 500 events a second, then a change of protocol
	$(PY) -m tests.rolling
	$(PY) -m tests.rolling --to consumer

traces: install-dev ## play a hundred random days in memory and over Kafka: they must end the same (RANDOM_DAYS, RANDOM_SEED)
traces: export RANDOM_DAYS ?= 100
traces:
	$(PY) -m pytest -m days -n0 -s tests/journeys/test_same_end.py -k end_the_same

MUTANTS ?= 100
mutants: install-dev $(VENV)/.mutants ## change the code in small ways and tell which changes no test notices (MUTANTS=100 of each part, PART=stock)
	$(PY) -m tests.mutants --sample $(MUTANTS) $(if $(PART),--part $(PART))

LINTS := lint-style lint-layout lint-templates lint-security lint-arrows lint-types lint-migrations lint-settings lint-contract
.PHONY: $(LINTS)

lint: install-dev ## ask the tools: style, security, types, arrows between modules, templates, migrations, settings
	@$(MAKE) --no-print-directory --keep-going $(LINTS)  # run all of them, also after one that fails

lint-style:
	$(VENV)/bin/ruff check .

lint-layout:
	$(VENV)/bin/ruff format --check .

lint-templates:
	@find . -name '*.html' -path '*templates*' -not -path './.venv/*' -print0 | xargs -0 $(VENV)/bin/djade --target-version 5.2 --check

lint-security:
	$(VENV)/bin/bandit --quiet --recursive --configfile pyproject.toml $(SITE)

lint-arrows:
	$(PY) -m tests.import_contracts

lint-types:
	$(VENV)/bin/mypy

lint-migrations:
	$(PY) manage.py makemigrations --check --dry-run

lint-settings:
	$(PY) manage.py check --fail-level WARNING

CONTRACT := docs/reference/contract.json
lint-contract:
	$(PY) manage.py eventbus contract $(CONTRACT)

contract: install-dev ## write the contract of the events anew after a compatible change, and an example of each new version (UNDEPLOYED=type)
	$(PY) manage.py eventbus contract $(CONTRACT) --write $(UNDEPLOYED:%=--undeployed %)
	$(PY) -m tests.eventbus.contracts $(UNDEPLOYED)

format: install-dev ## lay out Python and templates as lint wants them
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	@find . -name '*.html' -path '*templates*' -not -path './.venv/*' -print0 | xargs -0 $(VENV)/bin/djade --target-version 5.2

reference: install-dev ## write docs/reference/events.md and doctor.md anew, from the event classes and the doctor's rules
	$(PY) -m tests.reference

bench: install-dev $(VENV)/.bench ## measure the bus, the poll and the pages beside their peers; writes bench.json
	$(PY) -m benchmarks

vendor: install-dev ## fetch the map's libraries from npm again, as vendor/manifest.json pins them (PIN=1 pins new versions)
	$(PY) -m tests.stations.vendored_files $(if $(PIN),--pin)

screenshots: install-dev ## take a picture of every page into screenshots/
	$(PY) -m tests.browser.screenshots

requirements: $(VENV)/.dev ## pin requirements*.in anew, with hashes
	$(PIP_COMPILE) --upgrade --output-file requirements.txt requirements.in
	$(PIP_COMPILE) --upgrade --output-file requirements-traces.txt requirements-traces.in
	$(PIP_COMPILE) --upgrade --output-file requirements-dev.txt requirements-dev.in
	$(PIP_COMPILE) --upgrade --output-file requirements-bench.txt requirements-bench.in
	$(PIP_COMPILE) --upgrade --output-file requirements-mutants.txt requirements-mutants.in

clean: ## forget the virtual environment, caches, Kafka's jars and translations; what var/ holds stays
	rm -rf $(VENV) .kafka .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles screenshots
	rm -f $(TEXTS:.po=.mo)

# --- files -----------------------------------------------------------------------------------------------------------

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name yours: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments (Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Each stamp is a copy of the installed requirements. A file with a new date and the old content installs nothing.
$(VENV)/.site: requirements.txt $(VENV)/.made
	@cmp -s $< $@ || { $(call INSTALL,$<); }
	@cp $< $@

# The tools' requirements hold the site's, in the same versions. So a running site keeps its packages.
$(VENV)/.dev: requirements-dev.txt $(VENV)/.made
	@[ ! -s $(VENV)/.site ] || cmp -s requirements.txt $(VENV)/.site || echo "requirements.txt has changed: restart a running site"
	@cmp -s $< $@ || { $(call INSTALL,$<); }
	@cp $< $@
	@cp requirements.txt $(VENV)/.site

$(VENV)/.mutants: requirements-mutants.txt $(VENV)/.dev
	@cmp -s $< $@ || { $(call INSTALL,$<); }
	@cp $< $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.dev
	@cmp -s $< $@ || { $(call INSTALL,$<); }
	@cp $< $@

# polib, not msgfmt: gettext is not on every machine, and `make run` may not ask for root.
translations: $(TEXTS:.po=.mo) ## compile the texts of other languages
$(TEXTS:.po=.mo): | $(VENV)/.made
%.mo: %.po
	@$(PY) -c 'import sys, polib; polib.pofile(sys.argv[1]).save_as_mofile(sys.argv[2])' $< $@
