# The commands of this project. `make run` and `make test` work on a bare Debian 12/13 or
# Ubuntu 24.04 that has Rust and a C compiler; tools/setup.sh installs the rest.

CARGO ?= cargo
DEMO  := target/demo
# Compiled shaders of the software Vulkan driver are kept with the build, so a second run is quick.
export MESA_SHADER_CACHE_DIR ?= $(CURDIR)/target/mesa-shader-cache

.DEFAULT_GOAL := help
.PHONY: help setup run test test-interop check bench doc

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: ## install what the build and the tests need
	@tools/setup.sh

# 40 years of daily fields, about 670 MB, worked on with 256 MiB.
DEMO_SAMPLE := --years 40 --grid 80x144 --frequency daily --seed 1
DEMO_EXPR   := anomaly = tas - tas.groupby("time.month").mean()

run: setup ## compute a climate anomaly larger than the memory given, with a report
	$(CARGO) build --release --bin tilewise
	@mkdir -p $(DEMO)
	test -e $(DEMO)/sample.nc || target/release/tilewise sample $(DEMO)/sample.nc $(DEMO_SAMPLE)
	target/release/tilewise eval '$(DEMO_EXPR)' $(DEMO)/sample.nc -o $(DEMO)/anomaly.nc --memory 256MiB --report
	target/release/tilewise info $(DEMO)/anomaly.nc

test: setup ## every test of the workspace, GPU tests on software Vulkan where no GPU is
	@mkdir -p $(MESA_SHADER_CACHE_DIR)
	tools/test-setup.sh
	$(CARGO) test --workspace --all-targets
	$(CARGO) test --workspace --doc

test-interop: setup ## other people's tools read what tilewise writes, and the other way round
	$(CARGO) build --bin tilewise
	tools/interop.sh target/debug/tilewise

check: ## what to run before a commit: format, lints, house rules, fast tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test --workspace --lib --test tidy

bench: setup ## the benches, on an otherwise idle machine
	$(CARGO) bench --workspace

doc: ## the library's documentation, in target/doc
	$(CARGO) doc --workspace --no-deps
