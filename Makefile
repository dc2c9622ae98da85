# make            builds ./wfs
# make demo       builds it and shows it at work on a checkpoint made by torch
# make test       every test; installs what the tests need
# make soak       reads against a model for SOAK minutes, and a thousand mounts
# make race       the tests, and a short soak, with the race detector
# make fuzz       each fuzz target for FUZZTIME
# make bench      measures against native files; ROWS=a,b picks rows
# make lint       gofmt, go vet, staticcheck, the layers of the packages, a build for another machine
# make install    into PREFIX: the binary, its manual page and completions, and the helpers of mount(8); make uninstall
# make deb        dist/wfs_VERSION_ARCH.deb
# make release    archives for Linux, macOS and Windows in dist/, with SHA256SUMS

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
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
SUDO        := $(if $(filter 0,$(shell id -u)),,sudo)

export CGO_ENABLED := 0

# The same bytes wherever it is built: no paths, and no state of a repository.
GOBUILD = go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'

.PHONY: build
build:
	$(GOBUILD) -o wfs ./cmd/wfs

# What the tests, the demo and the benchmark need, beside Go.

.PHONY: system
system:
	@missing=; \
	for need in fusermount3:fuse3 strace:strace groff:groff-base zsh:zsh fish:fish nginx:nginx caddy:caddy chromium-headless-shell:chromium-headless-shell; do \
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

# The tests of integration/ mount the binary; what they leave behind is a failure. The packages that
# take longest begin first, for a processor would else have nothing to do at the end.
.PHONY: test
test: system .venv/torch .venv/keras .venv/extra .venv/quant
	integration/leftovers.sh check go test -count=1 -timeout $(TESTTIMEOUT) ./integration/formats ./integration/clients ./...

SOAK ?= 30
.PHONY: soak
soak: system .venv/torch .venv/keras
	SOAK=$(SOAK) integration/leftovers.sh check go test -v -count=1 -timeout 0 -run '^(TestSoak|TestCycles)$$' ./integration/stress ./integration/daemon ./fs

.PHONY: race
race: export CGO_ENABLED := 1
race: system .venv/torch .venv/keras
	@command -v $${CC:-gcc} >/dev/null || { echo 'make: the race detector needs a C compiler: install gcc and libc6-dev, or set CC' >&2; exit 1; }
	go test -race -count=1 -timeout $(TESTTIMEOUT) ./cmd/... ./fs/... ./formats/...
	RACE=1 integration/leftovers.sh check go test -count=1 -timeout $(TESTTIMEOUT) \
		-run '^(TestSoak|TestParallel|TestPressure|TestKilled|TestInterrupted|TestSourceChanged|TestDevice)' ./integration/stress ./integration/faults

# By default Go spends up to a minute on making each new input shorter: real files are
# long, and nothing else would get done.
.PHONY: fuzz
fuzz: system .venv/keras
	MUTATIONS=100000 go test -count=1 -run '^TestMutations$$' ./formats/audit
	HDF5FILES=600 go test -count=1 -run '^TestHDF5Random$$' ./integration/formats
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

# Everything but fs/, and the commands that need it, is for these too.
ELSEWHERE := darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l cmd fs formats integration); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed:" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go test -count=1 -run '^TestLayers$$' ./formats
	go vet cmd/wfs/packaging/archive.go
	GOARCH=arm64 go vet ./...
	GOARCH=arm64 go build -trimpath ./...
	@set -e; for system in $(ELSEWHERE); do \
		export GOOS=$${system%/*} GOARCH=$${system#*/}; echo "GOOS=$$GOOS GOARCH=$$GOARCH go vet, go build"; \
		go vet ./cmd/... ./formats/...; go build -trimpath ./cmd/... ./formats/...; \
	done

# mount(8) looks for mount.wfs, and for mount.fuse.wfs, in /sbin alone; a PREFIX of one's own is kept to.
SBINDIR   ?= $(if $(filter /usr /usr/local,$(PREFIX)),/sbin,$(PREFIX)/sbin)
MAN       := $(PREFIX)/share/man/man1/wfs.1.gz
BASH_FILE := $(PREFIX)/share/bash-completion/completions/wfs
ZSH_FILE  := $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)/_wfs
FISH_FILE := $(PREFIX)/share/fish/vendor_completions.d/wfs.fish
HELPERS   := $(SBINDIR)/mount.wfs $(SBINDIR)/mount.fuse.wfs

.PHONY: install
install: build
	install -D -m 0755 wfs $(DESTDIR)$(PREFIX)/bin/wfs
	./wfs man | gzip -9n | install -D -m 0644 /dev/stdin $(DESTDIR)$(MAN)
	./wfs completion bash | install -D -m 0644 /dev/stdin $(DESTDIR)$(BASH_FILE)
	./wfs completion zsh | install -D -m 0644 /dev/stdin $(DESTDIR)$(ZSH_FILE)
	./wfs completion fish | install -D -m 0644 /dev/stdin $(DESTDIR)$(FISH_FILE)
	install -d $(DESTDIR)$(SBINDIR)
	for helper in $(HELPERS); do ln -sfn $(PREFIX)/bin/wfs "$(DESTDIR)$$helper"; done

.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR),$(PREFIX)/bin/wfs $(MAN) $(BASH_FILE) $(ZSH_FILE) $(FISH_FILE) $(HELPERS))

# A version of Debian begins with a digit and has no hyphen: v1.2-3-gabc is 1.2+3+gabc, and a bare commit 0~commit.
DEB_VERSION = $(subst -,+,$(if $(filter v%,$(VERSION)),$(VERSION:v%=%),0~$(VERSION)))
DEB_ARCH    = $(shell go env GOARCH)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: deb
deb:
	rm -rf dist/root
	$(MAKE) --no-print-directory install DESTDIR=dist/root PREFIX=/usr SBINDIR=/usr/sbin
	install -D -m 0644 LICENSE dist/root/usr/share/doc/wfs/copyright
	find dist/root -exec touch --no-dereference --date=@$(SOURCE_DATE_EPOCH) {} +
	DEB_VERSION='$(DEB_VERSION)' DEB_ARCH=$(DEB_ARCH) go run $(NFPM) package --config cmd/wfs/packaging/nfpm.yaml --packager deb \
		--target dist/wfs_$(DEB_VERSION)_$(DEB_ARCH).deb
	rm -rf dist/root

# An archive for each system: the binary, its manual page and completions. The same bytes
# wherever they are made by the same version of Go. The page and the completions are those of
# the system that makes the archives.
RELEASES := linux/amd64 linux/arm64 $(ELSEWHERE)

.PHONY: release
release: build
	rm -rf dist/release
	set -e; for system in $(RELEASES); do \
		os=$${system%/*}; arch=$${system#*/}; name=wfs-$(VERSION)-$$os-$$arch; root=dist/release/$$name; suffix=; archive=tar.gz; \
		if [ $$os = windows ]; then suffix=.exe; archive=zip; fi; \
		mkdir -p $$root/completions; \
		GOOS=$$os GOARCH=$$arch $(GOBUILD) -o $$root/wfs$$suffix ./cmd/wfs; \
		cp LICENSE README.md $$root; \
		./wfs man >$$root/wfs.1; \
		./wfs completion bash >$$root/completions/wfs.bash; ./wfs completion zsh >$$root/completions/_wfs; ./wfs completion fish >$$root/completions/wfs.fish; \
		go run cmd/wfs/packaging/archive.go $$root dist/release/$$name.$$archive; \
		rm -r $$root; \
	done
	cd dist/release && sha256sum *.tar.gz *.zip >SHA256SUMS

.PHONY: clean
clean:
	rm -rf wfs dist .venv
