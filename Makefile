# Everything a contributor runs; `make help` lists it. Needed beforehand: Linux, make, git and Go 1.26. The rest is installed
# when make runs as root on Debian or Ubuntu; elsewhere it says what to install.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME  ?= 30s
SOAKCOUNT ?= 5
SOAKRUNS  ?= 500
RACES     ?= 100
NODERUNS  ?= 100
KILLS     ?= 1000
TESTFLAGS ?=
BENCHFLAGS ?=
PREFIX    ?= /usr/local
DESTDIR   ?=

FIXTURES = $(GO) run ./internal/fixtures/cmd/fixtures
DEMO     = ./examples/hello --platform linux/amd64,linux/arm64

# One way of compiling for everything, so that a package is compiled once for program, tests and linters. The race detector needs
# cgo: make unit CGO_ENABLED=1 TESTFLAGS=-race
export CGO_ENABLED ?= 0
export GOFLAGS := $(GOFLAGS) -trimpath

.DEFAULT_GOAL := help
.PHONY: help build man completions install demo test unit e2e parity harm lint check vuln docs bench bench-cross bench-nodes bench-services bench-lint fuzz seeded faults soak fixtures go FORCE

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

build: bin/archbuild ## leave the program in bin/archbuild

man: build ## write the manual pages to bin/man
	@rm -rf bin/man
	bin/archbuild docs man bin/man

completions: build ## write the completion scripts to bin/completions
	@mkdir -p bin/completions
	bin/archbuild completion bash > bin/completions/archbuild
	bin/archbuild completion zsh > bin/completions/_archbuild
	bin/archbuild completion fish > bin/completions/archbuild.fish

install: man completions ## put program, manual pages, completion and archbuild.mk below PREFIX (/usr/local), in DESTDIR if it is set
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/man/man1" "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d" "$(DESTDIR)$(PREFIX)/include"
	install -m 755 bin/archbuild "$(DESTDIR)$(PREFIX)/bin/"
	install -m 644 bin/man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1/"
	install -m 644 bin/completions/archbuild "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/"
	install -m 644 bin/completions/_archbuild "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/"
	install -m 644 bin/completions/archbuild.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/"
	install -m 644 archbuild.mk "$(DESTDIR)$(PREFIX)/include/"

demo: build fixtures ## build examples/hello for two platforms and run both programs
	@$(FIXTURES) run sh internal/fixtures/demo.sh $(DEMO)

test: unit e2e ## all tests

unit: fixtures bin/registry bin/crane bin/buildx bin/buildkitd bin/kubectl-validate ## the tests of each package
	$(GO) test -timeout 20m $(TESTFLAGS) $$($(GO) list ./... | grep -v -e /cmd/archbuild -e /e2e/)

e2e: build fixtures bin/registry bin/crane bin/buildx bin/buildkitd ## the tests of the whole program: real engine, registry and emulation
	$(GO) test -timeout 40m -count=1 $(TESTFLAGS) ./cmd/archbuild ./e2e/...

parity: fixtures bin/buildx ## the same Dockerfiles by buildx and by archbuild: ours, and all examples of BuildKit's own tests
	ARCHBUILD_PARITY=all $(GO) test -timeout 40m -count=1 -v $(TESTFLAGS) ./e2e/parity > bin/parity.log; status=$$?; \
	  grep -v -e '^ *--- PASS.*/' -e '^=== ' bin/parity.log; exit $$status

check: lint docs-check ## everything that is decided without running a build: format, vet, linters, docs, layout
	$(GO) test -run '^Test(Arrows|Pure)' .

# go vet is one of the linters (govet), with the same checks: by itself it would read everything once more.
lint: bin/golangci-lint bin/actionlint ## format, vet and linters, of workflow files too
	@unformatted=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 ls -d 2>/dev/null | xargs gofmt -l); \
	  [ -z "$$unformatted" ] || { echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; }
	bin/golangci-lint run ./...
	bin/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml examples/github/*.yml

harm: fixtures ## what comes of stages that are moved though they are unsafe, and of the same ones where they stay, compilers emulated
	ARCHBUILD_HARM=all $(GO) test -timeout 40m -count=1 -v -run '^TestHarm' $(TESTFLAGS) ./cmd/archbuild > bin/harm.log; status=$$?; \
	  grep -e '^ *--- ' -e '^ok' -e '^FAIL' bin/harm.log; exit $$status

vuln: bin/govulncheck ## known vulnerabilities in what the program calls; VULNDB is another database than Go's own, a URL of https or file
	bin/govulncheck $(if $(VULNDB),-db "$(VULNDB)") ./... || { status=$$?; \
	  [ $$status = 3 ] || echo "make vuln: without an answer of the database nothing was checked: VULNDB=file:///FOLDER names a copy of it" >&2; exit $$status; }

docs: ## write docs/cli.md from the program
	$(GO) run ./cmd/archbuild docs > docs/cli.md

.PHONY: docs-check
docs-check:
	@$(GO) run ./cmd/archbuild docs | diff -u docs/cli.md - || { echo "docs/cli.md is out of date: make docs"; exit 1; }

bench: build fixtures bin/buildx bin/buildctl bin/crane bin/registry ## measure against buildx, buildctl and crane
	$(GO) run ./internal/bench $(BENCHFLAGS)
	$(GO) test -run "^$$" -bench . -benchtime 1x -timeout 30m ./internal/bench
	$(GO) test -run "^$$" -bench Image ./verify
	$(GO) test -run "^$$" -bench . -benchtime 2s ./template ./rewrite
	$(GO) test -run "^$$" -bench . ./builder/schedule

bench-cross: build fixtures bin/buildx bin/buildctl ## measure usual Dockerfiles for two platforms against buildx, emulating: half an hour
	@$(FIXTURES) make-languages
	$(GO) run ./internal/bench cross $(BENCHFLAGS)

bench-nodes: build fixtures bin/buildx bin/buildkitd ## measure builds on two nodes against buildx: time, and what is sent
	$(GO) run ./internal/bench nodes $(BENCHFLAGS)

bench-services: build fixtures bin/buildx ## measure a project of 14 images for two platforms against docker buildx bake
	$(GO) run ./internal/bench services $(BENCHFLAGS)

bench-lint: build ## measure lint on a context of 20,000 files and 200 MB, and on 1,000 Dockerfiles
	$(GO) run ./internal/bench lint $(BENCHFLAGS)

fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
	  echo "$$func in $$(dirname $$file)"; \
	  $(GO) test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$(dirname $$file)" || exit 1; \
	done

faults: fixtures bin/registry ## every request of a push and of bases, and every pair of them, failed in every way; every change of a file by the whole program as well
	ARCHBUILD_FAULTS=all $(GO) test -timeout 0 -count=1 -run '^TestEveryRequest' -v $(TESTFLAGS) . > bin/faults.log; status=$$?; \
	  grep -v -e '^ *---.*/' -e '^=== ' bin/faults.log; exit $$status
	ARCHBUILD_FAULTS=all $(GO) test -timeout 0 -count=1 -v $(TESTFLAGS) ./e2e/faults > bin/files.log; status=$$?; \
	  grep -v -e '^ *---.*/' -e '^=== ' bin/files.log; exit $$status

seeded: fixtures bin/registry bin/crane bin/buildkitd ## defences taken out of the code, one after the other: whether the tests notice (a quarter of an hour)
	ARCHBUILD_SEEDED=1 $(GO) test -timeout 0 -count=1 -v -run '^TestEveryFault' $(TESTFLAGS) ./e2e/seeded > bin/seeded.log; status=$$?; \
	  grep -v -e '^=== ' bin/seeded.log; exit $$status

soak: build fixtures bin/registry bin/buildkitd ## 1,000 SIGKILLs of client, engine and registry (KILLS, at most 20 minutes), 500 assemblies on registries' bad days, 100 races of two pipelines, 100 builds on nodes that fail; the tests of the engine and of the whole program, SOAKCOUNT (5) times over
	ARCHBUILD_KILLS=$(KILLS) $(GO) test -timeout 30m -count=1 -run '^TestKills' -v $(TESTFLAGS) ./e2e/kills > bin/kills.log; status=$$?; \
	  grep -v -e '^ *---.*/' -e '^=== ' bin/kills.log; exit $$status
	ARCHBUILD_SOAK=$(SOAKRUNS) $(GO) test -timeout 0 -count=1 -run '^TestSoak' -v $(TESTFLAGS) ./manifest > bin/soak.log; status=$$?; \
	  grep -v -e '^ *---.*/' -e '^=== ' bin/soak.log; exit $$status
	ARCHBUILD_RACES=$(RACES) $(GO) test -timeout 0 -count=1 -run '^TestRacingPipelines' $(TESTFLAGS) .
	ARCHBUILD_NODE_RUNS=$(NODERUNS) $(GO) test -timeout 0 -count=1 -run '^TestSoak' -v $(TESTFLAGS) ./e2e/nodes > bin/nodes.log; status=$$?; \
	  grep -v -e '^ *---.*/' -e '^=== ' bin/nodes.log; exit $$status
	$(GO) test -timeout 0 -count=$(SOAKCOUNT) $(TESTFLAGS) ./builder/engine ./cmd/archbuild

fixtures: go ## what tests and demo need: runc, qemu, base images and a registry
	@$(FIXTURES) make

go:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or newer and put it on PATH" >&2; exit 1; }

include packaging/dist.mk

# The program. FORCE, because go knows better than make what is out of date.
bin/archbuild: go FORCE
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/archbuild

# Tools are pinned in modules of their own, so that they do not weigh on the product's dependencies.
bin/golangci-lint: tools/go.mod | go
	$(GO) -C tools build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

bin/govulncheck: tools/vuln/go.mod | go
	$(GO) -C tools/vuln build -o ../../$@ golang.org/x/vuln/cmd/govulncheck

bin/actionlint: tools/actionlint/go.mod | go
	$(GO) -C tools/actionlint build -o ../../$@ github.com/rhysd/actionlint/cmd/actionlint

bin/buildx: tools/buildx/go.mod | go
	$(GO) -C tools/buildx build -o ../../$@ github.com/docker/buildx/cmd/buildx

bin/buildctl: tools/buildctl/go.mod | go
	$(GO) -C tools/buildctl build -o ../../$@ github.com/moby/buildkit/cmd/buildctl

# Its version is put in as BuildKit's own releases do: archbuild looks at what a server says of itself.
bin/buildkitd: tools/buildctl/go.mod | go
	$(GO) -C tools/buildctl build -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$$($(GO) -C tools/buildctl list -m -f '{{.Version}}' github.com/moby/buildkit)" \
	  -o ../../$@ github.com/moby/buildkit/cmd/buildkitd

bin/crane: tools/crane/go.mod | go
	$(GO) -C tools/crane build -o ../../$@ github.com/google/go-containerregistry/cmd/crane

# It brings the schemas of eight releases of Kubernetes: two minutes to build on two cores, once.
bin/kubectl-validate: tools/kubernetes/go.mod | go
	$(GO) -C tools/kubernetes build -ldflags '-s -w' -o ../../$@ sigs.k8s.io/kubectl-validate

# The registry is a small main of ours around distribution's server: a minute to build on two cores, once.
bin/registry: tools/distribution/go.mod tools/distribution/main.go | go
	$(GO) -C tools/distribution build -ldflags '-s -w' -o ../../$@ .
