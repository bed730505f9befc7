# make run    build everything and serve on this machine
# make test   everything that CI runs: format, lints, Rust, web, real clients, browser
# make bench  micro benchmarks of the core; make figures measures the whole server, and
#             make bench-peers other Yjs servers beside it (the head of benches/peers/run.mjs says how)

SHELL := /bin/bash
CARGO ?= cargo
NPM_CI := npm ci --no-audit --no-fund
BIN := $(CURDIR)/target/release/coscribe

.PHONY: run test bench bench-peers figures demo-trace cold-open history crash fmt fmt-check lint build test-rust test-web \
	test-clients test-merging test-editors test-browser tools

run:
	$(CARGO) run --release

test: tools fmt-check build lint test-rust test-web test-clients test-editors test-browser
	@echo "everything passed"

# Says what is missing, and installs the browser where that is possible.
tools:
	@scripts/tools

build:
	$(CARGO) build --release --locked

fmt: web/node_modules
	$(CARGO) fmt
	cd web && npm run format

fmt-check:
	$(CARGO) fmt --check

lint: build
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

# One process per test where nextest is there; the same tests where it is not.
test-rust: build
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked; else $(CARGO) test --locked --lib --bins --tests; fi
	$(CARGO) test --locked --doc --quiet

web/node_modules: web/package-lock.json
	cd web && $(NPM_CI)
	touch $@

test-web: build web/node_modules
	cd web && npm run check

tests/interop/node_modules: tests/interop/package-lock.json
	cd tests/interop && $(NPM_CI)
	touch $@

test-clients: build tests/interop/node_modules
	cd tests/interop && COSCRIBE_BIN=$(BIN) npm test

tests/merging/node_modules: tests/merging/package-lock.json
	cd tests/merging && $(NPM_CI)
	touch $@

# What several people do to one line at once, by hand: cases that are open are skipped by name.
test-merging: build tests/merging/node_modules
	cd tests/merging && COSCRIBE_BIN=$(BIN) npm test

tests/editors/node_modules: tests/editors/package-lock.json
	cd tests/editors && $(NPM_CI)
	touch $@

test-editors: build tools tests/editors/node_modules
	cd tests/editors && COSCRIBE_BIN=$(BIN) npm test

test-browser: build tools web/node_modules
	cd web && COSCRIBE_BIN=$(BIN) npm run e2e

# Recorded sessions of real people, typed live through the server (EDITING_TRACES says where from).
demo-trace: build tests/interop/node_modules
	cd tests/interop && COSCRIBE_BIN=$(BIN) npm run --silent demo-trace

# How long the first person waits for a document with 259,778 edits.
cold-open: build tests/interop/node_modules
	cd tests/interop && COSCRIBE_BIN=$(BIN) npm run --silent cold-open

# What a long history takes up, and how long it takes to read any moment of it.
history: build tests/interop/node_modules
	cd tests/interop && COSCRIBE_BIN=$(BIN) npm run --silent history

# Fifty times kill -9 while four clients type.
crash: build tests/interop/node_modules
	cd tests/interop && COSCRIBE_BIN=$(BIN) npm run --silent crash

bench:
	$(CARGO) bench --locked

# The whole server under load: latency, CPU, memory, crowds, crashes. Prints tables, writes none.
figures: build
	COSCRIBE_BIN=$(BIN) node benches/peers/run.mjs --figures

# The same beside other Yjs servers, which it installs; writes docs/performance.md. About an hour.
bench-peers: build
	COSCRIBE_BIN=$(BIN) node benches/peers/run.mjs
