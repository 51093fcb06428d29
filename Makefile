# Everything that you do with a checkout. `make help` lists it.
PYTHON ?= /usr/bin/python3
VENV ?= $(shell sh scripts/venv-path.sh)
BIN = $(VENV)/bin
FUZZ_SECONDS ?= 3600
# Many tests wait for a server more than they work. A file's tests share its stacks, so they stay together. tests/file_order.py
# mixes files that wait with files that compute.
PYTEST_WORKERS ?= 4
# Unit tests wait for nobody: one worker for each core.
QUICK_WORKERS ?= auto
# Kills of each scenario that kills, in `make chaos`.
CHAOS_KILLS ?= 2000
# Kills and messages of each scenario, in `make chaos-gmail`.
CHAOS_GMAIL_KILLS ?= 100
CHAOS_GMAIL_MESSAGES ?= 3000
# The commands of `make test-debian12` and `make test-debian13`.
DEBIAN_RUN ?= make test PYTEST_WORKERS="$(PYTEST_WORKERS)" PYTEST_OPTIONS="$(PYTEST_OPTIONS)"
# Starting Postfix needs root, in the demo as in the tests.
AS_ROOT = $(if $(filter-out 0,$(shell id -u)),sudo)
# exec: a signal to make reaches the script itself, and not a shell in front of it, which would die alone.
IN_DEBIAN = exec $(AS_ROOT) env CI="$(CI)" MAILWEIR_SHARED="$(MAILWEIR_SHARED)" MAILWEIR_DEBIANS="$(MAILWEIR_DEBIANS)" sh scripts/in-debian.sh
SHELL_SCRIPTS = scripts/*.sh .ci/run

.PHONY: help setup demo test test-browser screenshots test-quick test-debian12 test-debian13 test-deploy fuzz chaos chaos-gmail check check-code check-deployment free-mail translations reference sizes dist bench bench-all accuracy clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## installs what is missing: Debian packages, the user mailweir, a virtual environment with the project
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test sh scripts/setup.sh

demo: setup ## starts everything on loopback, delivers real mail and shows what was captured; DEMO_OPTIONS=--keep lets it run, with its page
	@$(AS_ROOT) "$(BIN)/mailweir" demo $(DEMO_OPTIONS)

test: ## all tests, including those with a real Postfix, and a few of those in a browser
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,smoke sh scripts/setup.sh
	@$(AS_ROOT) env CI="$(CI)" MAILWEIR_SHARED="$(MAILWEIR_SHARED)" "$(BIN)/python" -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)

test-quick: ## the unit tests, without root and without PostgreSQL, in about a minute; PYTEST_OPTIONS go to pytest
	@ONLY=venv PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test sh scripts/setup.sh
	@# CI=: the few tests that need root are skipped here, with the reason; if CI=true, `make test` fails instead of skipping
	@env CI= "$(BIN)/python" -m pytest -n $(QUICK_WORKERS) --quick tests/unit $(PYTEST_OPTIONS)

test-browser: ## the page in a real browser: a first day, hostile mail, accessibility; installs Debian's chromium and playwright
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,browser sh scripts/setup.sh
	@env CI="$(CI)" MAILWEIR_TEST_BROWSER=1 "$(BIN)/python" -m pytest tests/browser $(PYTEST_OPTIONS)

screenshots: ## makes docs/pictures/*.png again, from a site with sample mail
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,browser sh scripts/setup.sh
	@"$(BIN)/python" -m tests.browser.screenshots

test-debian12: ## the same as `make test` in a bare Debian 12 (made by debootstrap, kept in MAILWEIR_DEBIANS), on a copy of this checkout
	@$(IN_DEBIAN) bookworm $(DEBIAN_RUN)

test-debian13: ## the same in a bare Debian 13
	@$(IN_DEBIAN) trixie $(DEBIAN_RUN)

test-deploy: ## the Ansible role on hosts of its own (Docker Engine, minutes); DEPLOY_OPTIONS go to pytest
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,check,deploy sh scripts/setup.sh
	@$(AS_ROOT) env CI="$(CI)" MAILWEIR_TEST_DEPLOY=1 "$(BIN)/python" -m pytest tests/deploy $(DEPLOY_OPTIONS)

fuzz: ## a million hostile lines to mailweir-auth, then hostile headers and addresses, and whole messages, random ones and ones guided by the code's branches, for FUZZ_SECONDS (an hour) each; stops at the first finding
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,fuzz sh scripts/setup.sh
	"$(BIN)/python" -m tests.fuzz.auth_lines
	"$(BIN)/python" -m tests.fuzz.run --seconds $(FUZZ_SECONDS)
	"$(BIN)/python" -m tests.fuzz.messages --seconds $(FUZZ_SECONDS)
	"$(BIN)/python" -m tests.fuzz.guided --seconds $(FUZZ_SECONDS)

chaos: setup ## kill -9 of everything, thousands of times, on SQLite and PostgreSQL; then prints a table of the results
	@$(AS_ROOT) "$(BIN)/python" -m tests.chaos.run --kills $(CHAOS_KILLS) $(CHAOS_OPTIONS)

chaos-gmail: setup ## kill -9 and SIGSTOP of the workers of Gmail's sync amid CHAOS_GMAIL_MESSAGES, on SQLite and PostgreSQL
	@$(AS_ROOT) "$(BIN)/python" -m tests.gmail.chaos --kills $(CHAOS_GMAIL_KILLS) --messages $(CHAOS_GMAIL_MESSAGES) $(CHAOS_OPTIONS)

check: ## ruff, mypy, import-linter, shellcheck, the check of prose, and the linters of ansible/ and of its output
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS=test,check sh scripts/setup.sh
	@# in parallel: each takes as long as the other, and uses one core
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target VENV="$(VENV)" check-code check-deployment

check-code:
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/mypy"
	"$(BIN)/lint-imports"
	"$(BIN)/python" scripts/check_prose.py

check-deployment:
	shellcheck $(SHELL_SCRIPTS)
	@sh scripts/check-deployment.sh "$(BIN)"

free-mail: setup ## makes mailweir/free_mail_domains.txt again: domains where anybody may have an address; needs npm
	@"$(BIN)/python" scripts/renew_free_mail.py

translations: setup ## updates the page's catalogues from its texts; then translate the missing ones in webapp/translations
	@"$(BIN)/python" scripts/update_translations.py

reference: setup ## makes docs/reference again from the program: every command and every setting
	@"$(BIN)/python" scripts/write_reference.py

sizes: ## how long the programs' files and functions are: median, 90th percentile, the longest; SIZES_OPTIONS go to scripts/sizes.py
	@"$(PYTHON)" scripts/sizes.py $(SIZES_OPTIONS)

dist: setup ## makes sdist and wheel in dist/; a commit always gives the same bytes
	rm -rf build dist
	@# always the same bytes: a host that has this wheel isn't upgraded again, and anybody can check that it is made of this source
	"$(BIN)/python" scripts/build_dist.py dist
	rm -rf build
	@ls dist

bench: setup ## messages a second, beside Postfix alone and a no-op filter in C
	@$(AS_ROOT) "$(BIN)/python" -m bench.run $(BENCH_OPTIONS)

bench-all: setup ## the same with pipe(8), with a slow disk, on PostgreSQL, through the relay, and with more contacts and activities (30 minutes)
	@$(AS_ROOT) "$(BIN)/python" -m bench.run --pipe $(BENCH_OPTIONS)
	@$(AS_ROOT) "$(BIN)/python" -m bench.run --fsync-delay-ms 5 $(BENCH_OPTIONS)
	@$(AS_ROOT) "$(BIN)/python" -m bench.run --database postgresql $(BENCH_OPTIONS)
	@$(AS_ROOT) "$(BIN)/python" -m bench.run --relay $(BENCH_OPTIONS)
	@"$(BIN)/python" -m bench.matching
	@"$(BIN)/python" -m bench.growth
	@"$(BIN)/python" -m bench.digest
	@"$(BIN)/python" -m bench.growth --database postgresql
	@$(AS_ROOT) "$(BIN)/python" -m bench.sync

accuracy: ## how often folds and forwarded originals are right, beside other libraries; ACCURACY_OPTIONS: --wrong, --fixtures FOLDER
	@ONLY=venv PYTHON="$(PYTHON)" VENV="$(VENV)-accuracy" EXTRAS=accuracy sh scripts/setup.sh
	@env MAILWEIR_SHARED="$(MAILWEIR_SHARED)" "$(VENV)-accuracy/bin/python" -m bench.accuracy.run $(ACCURACY_OPTIONS)

clean: ## removes the virtual environment and the results of builds
	$(AS_ROOT) rm -rf "$(VENV)" "$(VENV)-accuracy" build dist bench/build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/gmail/node_modules
