# A thin front for the CMake presets; `make help` lists the targets.
PREFIX ?= /usr/local
LISTEN ?= 127.0.0.1:8000
FUZZ_SECONDS ?= 60
KILLS ?= 1000

# The compiler cache, where it is installed; read by CMake when a build directory is first made.
ifneq ($(shell command -v ccache),)
export CMAKE_C_COMPILER_LAUNCHER ?= ccache
endif

.PHONY: all
all: build/release/build.ninja ## Build the program: build/release/fanfare
	@cmake --build --preset release --target fanfare

# Made once; from then on ninja itself configures again when a CMake file changed.
build/%/build.ninja:
	@scripts/install-packages --check build
	cmake --preset $*

.PHONY: run
run: packages-build all ## Start a server that watches a demo project (LISTEN=127.0.0.1:8000)
	@scripts/run --listen $(LISTEN)

.PHONY: test
test: packages-test build/release/build.ninja ## Build and run every test
	@scripts/test release

.PHONY: test-long
test-long: packages-test all ## What takes minutes: a clean build of our own, watched while the server dies
	@node --test --test-reporter=spec tests/long/*.test.mjs

.PHONY: asan tsan
asan tsan: packages-test ## Every test under AddressSanitizer + UBSan, or ThreadSanitizer
	@$(MAKE) --no-print-directory build/$@/build.ninja
	@scripts/test $@

.PHONY: soak
soak: packages-test all ## Kill the server KILLS=1000 times under load; nothing may be lost
	@FANFARE_CRASH_KILLS=$(KILLS) node --test --test-reporter=spec tests/integration/crash.test.mjs

.PHONY: fuzz
fuzz: packages-lint ## Fuzz every parser in turn, FUZZ_SECONDS=60 each
	@$(MAKE) --no-print-directory build/fuzz/build.ninja
	@cmake --build --preset fuzz
	@scripts/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: packages-build all ## Measure fan-out, latency and memory on this machine
	@build/release/fanfare bench

.PHONY: instructions
instructions: packages-test all ## Count instructions per delivery, handshake, publish; compare with the record
	@node bench/instructions.mjs

.PHONY: lint
lint: packages-lint build/debug/build.ninja ## Format, static analysis, layers, scripts
	@scripts/lint

.PHONY: format
format: packages-lint ## Format the C code in place
	@scripts/sources | xargs clang-format -i

.PHONY: docs
docs: all ## Write again what is generated from the program's tables
	@cmake --build --preset release --target docs
	build/release/fanfare config --docs >docs/configuration.md

.PHONY: examples
examples: packages-build build/release/build.ninja ## Build the C examples: build/release/examples
	@cmake --build --preset release --target examples

.PHONY: install
install: all ## Install program, library, manual and completion under PREFIX=/usr/local
	@cmake --build --preset release --target fanfare_shared fanfare_static
	cmake --install build/release --prefix $(PREFIX)

.PHONY: packages-build packages-test packages-lint
packages-build packages-test packages-lint:
	@scripts/install-packages $(@:packages-%=%)

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build tests/node_modules packages/typescript/node_modules packages/typescript/dist

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
	    awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'
