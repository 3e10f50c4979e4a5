# make demo [ONCE=1]  plays the whole story on real parts; then stays up, or ends with ONCE=1
# make test           every test: Rust, console, end to end
# make check          formatting, lints, types
# make build          the program, with its console in it
# make console        the console alone
# make release        the program as it is released: optimised, with its console and PDF
# make soak           the long tests: hundreds of kills, tens of thousands of generated cases
# make fuzz [SECONDS=600]  each fuzz target for so long, from its corpus on; ends at the first finding
# make bench          measurements, of some beside others' products, for BENCHMARKS.md; 40 minutes
# make clean          removes what was built
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check build release console soak fuzz bench clean require

console_dir := dashboards/console
console_modules := $(console_dir)/node_modules/.package-lock.json
console_built := $(console_dir)/dist/index.html
console_sources := $(shell find $(console_dir)/src $(console_dir)/public $(console_dir)/scripts -type f 2>/dev/null) \
	$(wildcard $(console_dir)/*.json $(console_dir)/*.ts $(console_dir)/*.html) opshawk/openapi.json
nextest := $(shell command -v cargo-nextest 2>/dev/null)
# One build of everything serves the tests, the demo and the soak: the same packages and features
# each time, or cargo builds the dependencies twice.
services := target/debug/services

help:
	@sed -n 's/^# make /make /p' Makefile

require:
	@scripts/require

# npm writes its own lock when it is done; ours being newer means that it has to run again.
$(console_modules): $(console_dir)/package-lock.json | require
	cd $(console_dir) && npm ci --no-audit --no-fund
	touch $@

$(console_built): $(console_modules) $(console_sources)
	cd $(console_dir) && npm run build

console: $(console_built)

build: require console
	cargo build --workspace --bins

release: require console
	cargo build --release -p opshawk --features pdf

demo: build
	@target/debug/demo $(if $(ONCE),--once)

check: require $(console_modules)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy -p billing --features pdf --all-targets --quiet -- -D warnings
	cd $(console_dir) && npm run check

test: build
	cd $(console_dir) && npm test
ifneq ($(nextest),)
	$(services) cargo nextest run --workspace
	cargo nextest run -p billing --features pdf invoice::pdf
else
	$(services) cargo test --workspace --quiet -- --test-threads 2
	cargo test -p billing --features pdf --quiet -- invoice::pdf
endif

soak: build
	OPSHAWK_SOAK=1 $(services) cargo test -p tests --test soak -- --nocapture
	PROPTEST_CASES=$${OPSHAWK_SOAK_CASES:-50000} cargo test -p billing -p bmc -p timeseries --lib -- rating::plan ipmi:: codec remote_write
	OPSHAWK_PROMQL_QUERIES=$${OPSHAWK_PROMQL_QUERIES:-30000} cargo test -p timeseries --test reference random -- --nocapture
	OPSHAWK_SOAK_KILLS=$${OPSHAWK_SOAK_KILLS:-200} cargo test -p timeseries --test durability -- --nocapture
	OPSHAWK_SOAK_SEEDS=$${OPSHAWK_SOAK_SEEDS:-300} $(services) cargo test -p billing scenarios::random -- --nocapture
	OPSHAWK_SOAK_SEEDS=$${OPSHAWK_SOAK_ORDERS:-300} $(services) cargo test -p billing scenarios::any_order -- --nocapture
	OPSHAWK_SOAK_SEEDS=$${OPSHAWK_SOAK_MONTHS:-3000} cargo test -p billing --lib -- an_independent_rater --nocapture
	OPSHAWK_SOAK_SEEDS=$${OPSHAWK_SOAK_RACES:-2000} $(services) cargo test -p billing scenarios::races -- --nocapture
	OPSHAWK_SOAK_SEEDS=$${OPSHAWK_SOAK_LEDGERS:-100} $(services) cargo test -p billing scenarios::whole_ledger -- --nocapture
	OPSHAWK_SOAK_CRASHES=$${OPSHAWK_SOAK_CRASHES:-50} $(services) cargo test -p billing scenarios::crashes -- --nocapture

SECONDS := 600
fuzz_targets := timeseries/promql timeseries/remote_write timeseries/block timeseries/wal collector/exposition

# With the program's own versions of everything, and in memory where there is room: the targets make
# many short files.
fuzz: require
	@command -v cargo-fuzz >/dev/null || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	@for target in $(fuzz_targets); do \
		cd $(CURDIR)/$${target%/*}; cp ../Cargo.lock fuzz/; \
		if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi; \
		cargo fuzz run -s none --target-dir $(CURDIR)/target/fuzz $${target#*/} -- -max_total_time=$(SECONDS) \
			-max_len=2048 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=256 -print_final_stats=1; \
	done

bench: require
	cargo build --release -p opshawk -p tests --bin opshawk --bin bench
	target/release/bench

clean:
	cargo clean
	rm -rf $(console_dir)/node_modules $(console_dir)/dist
