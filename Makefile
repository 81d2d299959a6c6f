.PHONY: help run demo test bench fuzz check long e2e tf

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start the service on port 3000 without authentication
	EM_METRICS_NO_AUTH=true go run ./cmd/em-metrics

demo: ## send a year of sample data to the service on port 3000
	go run ./cmd/em-metrics replay -sample

test: ## run all tests of the service
	go test -race ./...

bench: ## run the benchmarks
	go test -run '^$$' -bench . ./...

fuzz: ## run every fuzz target briefly (FUZZTIME=10s)
	.ci/fuzz

e2e: ## run the tests against real programs
	.ci/watch

tf: ## check the Terraform module
	.ci/terraform

long: ## run what takes too long for every change
	.ci/long

check: ## run everything that CI runs
	.ci/run
