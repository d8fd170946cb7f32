# What people need, one line each: `make help`. Demo and tests share one debug build; only benchmarks build release.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo dev test test-long fuzz lint format bench bench-gateway bench-soak clean

# The engine that demo and dev stand in front of: `simulator`, `vllm` (demo only) or the URL of yours.
ENGINE ?= simulator
export ENGINE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make this machine ready (installs what is missing, else does nothing)
	@scripts/setup-machine

build: setup ## the debug build that demo and tests share
	swift build --build-tests

demo: setup ## the whole job in two minutes: tokens counted, priced, invoiced, proven (ENGINE=vllm: on a real engine)
	@scripts/demo

dev: setup ## gateway, admin API and a private database on loopback, until Ctrl-C (ENGINE=URL: before your engine)
	swift build --product tollgate
	.build/debug/tollgate dev --data .tollgate/dev --engine "$(ENGINE)"

test: build ## all tests, a few minutes after the build; leaves nothing running
	@scripts/run-tests --skip EndToEndTests
	@scripts/run-tests --filter EndToEndTests
	@scripts/fuzz --seconds 20

test-long: build ## the kill tests a hundred times and the property tests with many more seeds; hours
	@TOLLGATE_SEEDS=$${TOLLGATE_SEEDS:-20000} \
	    scripts/run-tests --skip EndToEndTests
	@TOLLGATE_KILL_ROUNDS=$${TOLLGATE_KILL_ROUNDS:-100} \
	    scripts/run-tests --filter EndToEndTests

fuzz: setup ## every parser for ten minutes each, going on from what was found before
	@scripts/fuzz --seconds 600

lint: ## formatting, the image, scripts, compose file; changes nothing
	@scripts/setup-machine --lint
	@scripts/lint

format: ## rewrite Swift sources the way lint and ArchitectureTests want them
	@python3 scripts/wrap-comments.py Sources Tests
	swift format --in-place --parallel --recursive --configuration .swift-format Sources Tests Package.swift \
	    Fuzzing/Package.swift Fuzzing/Sources/fuzz \
	    $(wildcard Benchmarks)

bench: bench-gateway ## every benchmark, release build

bench-gateway: ## CPU and delay per request and chunk beside nginx; the last line is `ratio X.XX`
	@scripts/setup-machine --bench
	swift build --configuration release --product tollgate --static-swift-stdlib
	@python3 Benchmarks/bench_gateway.py --out docs/performance.md

bench-soak: ## a million requests and two thousand streams through one process: memory over time
	@scripts/setup-machine --bench
	swift build --configuration release --product tollgate --static-swift-stdlib
	@python3 Benchmarks/soak.py --out docs/performance.md

clean: ## remove what building, demo and tests made
	rm -rf .build .build-fuzz .tollgate Benchmarks/.build
