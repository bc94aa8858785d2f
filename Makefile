# SPDX-License-Identifier: Apache-2.0
# A thin front door: everything is done by cmake, ctest and the scripts of tests/ and packaging/.

BUILD ?= build
BUILD_TYPE ?= RelWithDebInfo
KERNELS ?= 5.10 6.1
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CLANG_FORMAT ?= clang-format-14
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600

export PYEBPF_BUILD := $(abspath $(BUILD))
export PYTHONDONTWRITEBYTECODE := 1

CXX_FILES = $(shell git ls-files -co --exclude-standard '*.cpp' '*.h' ':!bpf/*')
SHELL_FILES = $(shell git ls-files -co --exclude-standard '*.sh') .ci/run

.PHONY: all build build-all deps deps-test configure demo test test-unit test-kernel test-e2e test-vm \
	bench fuzz lint fmt tidy clean install help

all: build  ## build/pyebpf-prof, installing what the build needs

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*  ## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

deps:
	@packaging/install-deps.sh --build

deps-test:
	@packaging/install-deps.sh --build --test

configure: deps
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=$(BUILD_TYPE) >$(BUILD)/configure.log 2>&1 || { cat $(BUILD)/configure.log; exit 1; }

build: configure  ## the program only
	cmake --build $(BUILD) --target pyebpf-prof -j $(JOBS)

build-all: deps-test configure
	cmake --build $(BUILD) -j $(JOBS)

demo: build  ## profiles a threaded Python program; flame.html, flame.svg, report.txt and profile.pb.gz in build/demo
	tests/e2e/demo.sh $(BUILD)

test: build-all  ## every kind of test; KERNELS="5.10 6.1 6.12 6.18 backport" chooses the virtual machines
	$(PYTHON) tests/run_all.py --kernels "$(KERNELS)"

test-unit: build-all  ## unit tests, no root needed
	$(PYTHON) tests/run_all.py --only unit

test-kernel: build-all  ## tests that load BPF programs on this kernel
	$(PYTHON) tests/run_all.py --only kernel

test-e2e: build-all  ## the program against real interpreters
	$(PYTHON) tests/run_all.py --only e2e

test-vm: build-all  ## the program under other kernels, in qemu
	$(PYTHON) tests/run_all.py --only vm --kernels "$(KERNELS)"

bench: configure  ## what sampling costs, next to the goals, as root; BENCH_FLAGS=--quick for one minute
	cmake --build $(BUILD) --target pyebpf-bench -j $(JOBS)
	$(BUILD)/pyebpf-bench --source . --build $(BUILD) $(BENCH_FLAGS)

fuzz: deps-test  ## libFuzzer on the parsers of other people's bytes, FUZZ_SECONDS=600 for each
	@packaging/install-deps.sh --fuzz
	tests/fuzz/run.sh $(FUZZ_SECONDS)

lint:  ## layers, paths in documents, format, shell scripts
	$(PYTHON) tests/lint/check_layers.py
	$(PYTHON) tests/lint/check_docs_paths.py
	$(CLANG_FORMAT) --dry-run -Werror $(CXX_FILES)
	shellcheck -x $(SHELL_FILES)

tidy: build-all  ## clang-tidy over userspace/ (slow)
	git ls-files 'userspace/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy-14 -p $(BUILD) --quiet

fmt:  ## formats the C++ files
	@$(CLANG_FORMAT) -i $(CXX_FILES)

install: build  ## to $(DESTDIR)$(PREFIX)/bin and libexec, the default configuration to $(DESTDIR)$(SYSCONFDIR)
	install -D -m 755 $(BUILD)/pyebpf-prof $(DESTDIR)$(PREFIX)/bin/pyebpf-prof
	install -D -m 755 $(BUILD)/pyebpf-reader $(DESTDIR)$(PREFIX)/libexec/pyebpf-prof/pyebpf-reader
	install -D -m 755 $(BUILD)/pyebpf-debuginfod $(DESTDIR)$(PREFIX)/libexec/pyebpf-prof/pyebpf-debuginfod
	test ! -e $(BUILD)/pyebpf-usdt || \
		install -D -m 755 $(BUILD)/pyebpf-usdt $(DESTDIR)$(PREFIX)/libexec/pyebpf-prof/pyebpf-usdt
	install -D -m 644 packaging/man/pyebpf-prof.1 $(DESTDIR)$(PREFIX)/share/man/man1/pyebpf-prof.1
	test -e $(DESTDIR)$(SYSCONFDIR)/pyebpf-prof/config.yaml || \
		install -D -m 644 config/pyebpf-prof.yaml $(DESTDIR)$(SYSCONFDIR)/pyebpf-prof/config.yaml

clean:  ## removes what was built; kernels and interpreters that were fetched stay
	find $(BUILD) -mindepth 1 -maxdepth 1 ! -name vm ! -name interpreters -exec rm -rf {} + 2>/dev/null || true
