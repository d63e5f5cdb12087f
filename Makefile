# Two commands do everything on a fresh machine with Go, Node, make and gcc:
#   make demo   builds the page and the program and runs a whole site on this machine
#   make test   runs every test, the page's in a real browser too
# make demo-slurm is the demonstration with a real Slurm (Debian, root).
# They install what they need, once, and say so.

SHELL := /bin/bash
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOLS := $(CURDIR)/.tools
LINT := $(TOOLS)/golangci-lint
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || echo /usr/bin/chromium)
export CHROMIUM
PACKAGES = $(shell $(GO) list ./... | grep -v /node_modules/)

.PHONY: build demo demo-slurm test test-go test-web test-kube engines bench lint fuzz clean chromium peers docs

build: bin/switchyard

bin/switchyard: web/dist/index.html $(shell find . -name '*.go' -not -path './web/node_modules/*' 2>/dev/null) go.mod go.sum
	@echo "== building bin/switchyard (the first time it also compiles its libraries: some two minutes on two cores)"
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o $@ ./cmd/switchyard

web/node_modules/.done: web/package-lock.json
	@echo "== installing the page's build tools into web/node_modules (npm ci)"
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.done $(shell find web/src web/index.html web/vite.config.* 2>/dev/null)
	@echo "== building the page into web/dist"
	cd web && npm run --silent build
	@touch web/dist/.keep $@

demo: bin/switchyard
	@echo "== starting a made-up site on this machine; Ctrl-C ends it"
	bin/switchyard demo

demo-slurm: bin/switchyard
	@[ "$$(id -u)" = 0 ] || { echo "make demo-slurm needs root: Slurm's daemons run their jobs as whoever submits them, and the made-up GPUs are device files"; exit 1; }
	@missing=; for p in $(SLURM_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] || { echo "== installing Debian's packages$$missing; none is started as a service"; tools/install-unstarted.sh $$missing; }
	@echo "== starting a made-up site whose GPU cluster is a real Slurm, in real time; Ctrl-C ends all of it"
	bin/switchyard demo --slurm

test: test-go test-web

# A real Slurm, which the tests start for themselves: slurmdbd and MariaDB are its accounting.
SLURM_PACKAGES := slurm-wlm slurmctld slurmd slurmrestd slurm-client munge slurm-wlm-basic-plugins slurm-wlm-jwt-plugin slurmdbd mariadb-server

# What our protocols, our optimiser, our workbook and our invoices are tested against: other people's programs.
peers: tools/prism/node_modules/.done
	@missing=; command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$$missing mosquitto"; \
	command -v cbc >/dev/null || missing="$$missing coinor-cbc"; \
	command -v soffice >/dev/null || missing="$$missing libreoffice-calc-nogui"; \
	command -v pdftotext >/dev/null || missing="$$missing poppler-utils"; \
	/usr/bin/python3 -c 'import pymodbus' 2>/dev/null || missing="$$missing python3-pymodbus"; \
	for p in $(SLURM_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] || { \
	  echo "== installing Debian's packages$$missing, for the tests against them; none is started as a service"; \
	  tools/install-unstarted.sh $$missing \
	  || echo "== they are not to be had here: the tests that need them will say that they are skipped"; }

tools/prism/node_modules/.done: tools/prism/package-lock.json
	@echo "== installing the mock server of published interfaces into tools/prism/node_modules (npm ci)"
	cd tools/prism && npm ci --omit=dev --no-audit --no-fund --loglevel=error
	@touch $@

test-go: web/dist/index.html peers
	@echo "== testing the Go packages"
	$(GO) vet $(PACKAGES)
	SWITCHYARD_ENGINES=off $(GO) test -timeout 20m $(PACKAGES)

# A real Kubernetes with Kueue, and what is tested on it: the adapter, and the tests of other
# packages whose names begin with TestKube.
KUBE_PACKAGES ?= ./compute/kube/... ./demo/story
KUBE_TESTS ?= ^(TestReal|TestKube)

engines:
	@GO=$(GO) tools/engines/build.sh

test-kube: engines
	@echo "== testing on a real Kubernetes with Kueue on this machine: some two minutes"
	$(GO) test -count=1 -timeout 20m -run '$(KUBE_TESTS)' $(KUBE_PACKAGES)

chromium:
	@command -v "$(CHROMIUM)" >/dev/null || { \
	  echo "== installing Debian's package chromium, for the tests of the page"; \
	  s=$$(command -v sudo || true); [ "$$(id -u)" = 0 ] && s=; \
	  $$s apt-get update -qq && $$s apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

test-web: bin/switchyard chromium
	@echo "== testing the page in headless Chromium: against its mock, then against the program"
	cd web && npm run --silent check && SWITCHYARD_BIN=$(CURDIR)/bin/switchyard npx --no-install playwright test

bench: web/dist/index.html
	@echo "== running the benchmarks, a package at a time: some three minutes on two cores; docs/benchmarks.md says how to read them"
	@set -o pipefail; { echo "# $$($(GO) env GOVERSION GOOS GOARCH | xargs), $$(getconf _NPROCESSORS_ONLN) cores, $$(ulimit -n) open files"; \
	  $(GO) test -run '^$$' -bench . -benchmem -timeout 30m $(PACKAGES) 2>&1; } | { grep -v -E '^(ok|PASS|\?)' || true; } | tee bench.txt
	@echo "== results are in bench.txt"

$(LINT): tools/versions.env
	@echo "== building the linter into .tools (once; some minutes)"
	@mkdir -p $(TOOLS)
	. tools/versions.env && GOBIN=$(TOOLS) GOFLAGS= $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$$GOLANGCI_LINT
	@touch $@

lint: $(LINT) web/dist/index.html
	$(LINT) run ./...
	@tools/vulncheck.sh

fuzz:
	@tools/fuzz.sh

docs: web/dist/index.html
	@echo "== writing docs/miners.md from the drivers and the table of models"
	$(GO) test ./cmd/switchyard -run '^TestMinersPage$$' -update

clean:
	rm -rf bin web/dist/* .tools bench.txt demo-data
