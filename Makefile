# make            builds ./wfs
# make demo       builds it and shows it at work on a checkpoint made by torch
# make test       every test; installs what the tests need
# make fuzz       each fuzz target for FUZZTIME
# make bench      measures against native files; ROWS=a,b picks rows
# make lint       gofmt, go vet, staticcheck
# make install    into PREFIX

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PREFIX      ?= /usr/local
DESTDIR     ?=
PYTHON      ?= python3
FUZZTIME    ?= 60s
TESTTIMEOUT ?= 60m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
SUDO        := $(if $(filter 0,$(shell id -u)),,sudo)

export CGO_ENABLED := 0

.PHONY: build
build:
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o wfs ./cmd/wfs

# What the tests, the demo and the benchmark need, beside Go.

.PHONY: system
system:
	@missing=; \
	for need in fusermount3:fuse3 strace:strace groff:groff-base zsh:zsh fish:fish; do \
		command -v $${need%:*} >/dev/null || missing="$$missing $${need#*:}"; \
	done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy $$missing; fi
	@test -e /dev/fuse || { echo 'make: no /dev/fuse here: load the fuse module, or give the container --device /dev/fuse --cap-add SYS_ADMIN' >&2; exit 1; }

# A Python environment for each family of clients; its stamp is younger than its
# list of packages, and a change of the list installs into what is there.
ENVIRONMENTS := $(patsubst integration/py/requirements-%.txt,%,$(wildcard integration/py/requirements-*.txt))

.venv/%/.installed: integration/py/requirements-%.txt | system
	test -x .venv/$*/bin/python || $(PYTHON) -m venv .venv/$*
	.venv/$*/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	touch $@

.PHONY: $(ENVIRONMENTS:%=.venv/%)
$(ENVIRONMENTS:%=.venv/%): .venv/%: .venv/%/.installed

.PHONY: demo
demo: build .venv/torch
	integration/demo.sh ./wfs .venv/torch/bin/python

# The tests of integration/ mount the binary; what they leave behind is a failure.
.PHONY: test
test: system .venv/torch .venv/keras
	integration/leftovers.sh check go test -count=1 -timeout $(TESTTIMEOUT) ./...

.PHONY: fuzz
fuzz:
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "== $$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$package; \
		done; \
	done

# Takes about a quarter of an hour, 10 GiB of memory and 20 GiB of disk, and needs root to empty caches.
ROWS   ?=
ROUNDS ?= 5
.PHONY: bench
bench: build system .venv/torch .venv/keras .venv/bench
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	WFS=$(CURDIR)/wfs RATARMOUNT=$(CURDIR)/.venv/bench/bin/ratarmount BENCH_DIR="$$dir" ROWS='$(ROWS)' ROUNDS=$(ROUNDS) \
	PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 .venv/torch/bin/python integration/bench/bench.py bench

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l cmd fs formats integration); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed:" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: install
install: build
	install -D -m 0755 wfs $(DESTDIR)$(PREFIX)/bin/wfs

.PHONY: clean
clean:
	rm -rf wfs dist .venv
