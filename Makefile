# Each target is one command; what takes more than a line is a script.
.PHONY: help build demo test bench fmt clean toolchain
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

build: toolchain ## the daemon, in target/release/creditd
	cargo build --release --locked

demo: ## see it work: servers, a story of events, and what became of them
	@scripts/demo

test: ## every check that CI runs, on real servers
	@scripts/test

bench: ## how fast it is, beside what, into docs/benchmarks.md: about a quarter of an hour
	@scripts/bench --write

fmt: toolchain ## format the code
	cargo fmt --all

clean: ## stop what scripts/servers started by hand, and remove target/
	@scripts/servers stop
	cargo clean

toolchain:
	@bash -c '. scripts/lib.sh && need_toolchain'
