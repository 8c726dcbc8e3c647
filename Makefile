# make test    everything that must pass, on a fresh Debian 12 with Go
# make conformance  the probes against the servers that Debian ships
# make demo    a pair of directors at work, in a virtual machine
# make bench   the figures of docs/performance.md, side by side with keepalived
# make bench-native  those of docs/performance-native.md, on this machine's own processor

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
VM       = bin/vmexec
# The first takes IPVS out of the kernel, which network namespaces of other tests
# keep there until their last connection has been given up, minutes after the test.
KERNEL_TESTS = ./ipvsctl ./integration/... ./internal/realserver/... ./ipvsctl/... ./vrrp/...

.PHONY: all build test lint unit integration demo bench bench-native conformance fuzz nightly cover clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/director ./cmd/director

# Each stage says how long it took.
test:
	@for stage in lint unit integration; do \
		start=$$(date +%s); echo "== $$stage"; \
		$(MAKE) --no-print-directory $$stage || exit 1; \
		echo "== $$stage passed in $$(( $$(date +%s) - start )) s"; \
	done

lint:
	@test -z "$$(gofmt -l .)" || { echo "gofmt: not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags integration ./...
	$(GO) vet -tags conformance ./integration/conformance
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags integration ./...
	$(GO) mod tidy -diff
	.ci/imports

unit:
	.ci/prepare
	$(GO) test -race ./...

# The real kernel: boots a virtual machine, unless this machine has IPVS itself.
integration: build $(VM)
	DIRECTOR_PROGRAM=bin/director $(VM) -limit 30m test $(KERNEL_TESTS)

.PHONY: $(VM)
$(VM):
	CGO_ENABLED=0 $(GO) build -o $(VM) ./integration/cmd/vmexec

# The probes against nginx, Postfix, PostgreSQL and their like, as Debian ships
# them. Installs them, starts none but for itself; wants root.
conformance:
	.ci/conformance
	$(GO) test -tags conformance -count 1 -timeout 15m ./integration/conformance

# A pair at work, told on the terminal, which is then yours.
demo: build $(VM)
	CGO_ENABLED=0 $(GO) build -o bin/demo ./integration/cmd/demo
	DIRECTOR_PROGRAM=$(CURDIR)/bin/director $(VM) -limit 8h shell bin/demo

# Writes the table of docs/performance.md. Takes about an hour.
TRIALS = 5
bench: build $(VM)
	CGO_ENABLED=0 $(GO) build -o bin/bench ./integration/cmd/bench
	DIRECTOR_PROGRAM=$(CURDIR)/bin/director $(VM) -limit 2h -out docs exec bin/bench -trials $(TRIALS)

bench-native: build $(VM)
	CGO_ENABLED=0 $(GO) build -o bin/bench ./integration/cmd/bench
	for part in checks routers takeover; do DIRECTOR_PROGRAM=$(CURDIR)/bin/director $(VM) -native -limit 1h -out docs \
		exec bin/bench -file performance-native.md -only $$part -trials $(TRIALS) || exit; done

fuzz:
	@$(GO) list ./... | while read -r pkg; do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s $$pkg || exit 1; \
		done; \
	done

# What takes too long for every change: 100,000 lives of a VRRP LAN.
nightly:
	$(GO) test -timeout 30m -run 'TestSimulation$$' ./vrrp -seeds 100000

cover:
	$(GO) test -coverprofile bin/cover.out ./...
	$(GO) tool cover -func bin/cover.out | tail -1

clean:
	rm -rf bin
