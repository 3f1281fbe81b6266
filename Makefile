# Every target says what it needs, and how to install that.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
PRELUDE  = webapi/dist/prelude.js
HEADERS  = isolate/v8include
SOURCES  = $(shell find webapi/js webapi/generate -type f -not -path '*/test/*' 2>/dev/null) webapi/package.json webapi/package-lock.json

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: generate ## bin/nano
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/nano ./cmd/nano

.PHONY: generate
generate: tools $(HEADERS) $(PRELUDE) ## what the sources need before Go can compile them

# V8's headers come with the Go module that has the library.
$(HEADERS): go.mod | tools
	@$(GO) mod download github.com/tommie/v8go
	@rm -f $@; ln -sfn "$$($(GO) list -m -f '{{.Dir}}' github.com/tommie/v8go)/deps/include" $@

$(PRELUDE): $(SOURCES)
	$(GO) run ./webapi/generate
	@touch $@

# need(command, package): says how to install what is missing.
need = command -v $(1) >/dev/null || { echo "error: $(1) is missing"; echo "hint: apt install $(2)   (or: dnf install $(3))"; exit 1; }

.PHONY: tools
tools:
	@command -v $(GO) >/dev/null || { echo "error: go is missing"; echo "hint: install Go 1.26 or newer: https://go.dev/doc/install"; exit 1; }
	@# A Go from 1.21 on gets the one that go.mod names; an older one can't even read that file.
	@cd / && case "$$($(GO) env GOVERSION)" in go1.[0-9]|go1.[0-9].*|go1.1[0-9]|go1.1[0-9].*|go1.20|go1.20.*) echo "error: this is $$($(GO) env GOVERSION)"; echo "hint: install Go 1.26 or newer: https://go.dev/doc/install"; exit 1;; esac
	@$(call need,g++,g++,gcc-c++)
	@$(call need,git,git,git)
	@$(call need,node,nodejs npm,nodejs)
	@$(call need,npm,npm,nodejs-npm)

.PHONY: run
run: build contrib/examples/node_modules ## three examples on 127.0.0.1:8080
	@echo 'Try:  curl -H "Host: hello.localhost" http://127.0.0.1:8080/'
	@echo '      curl -H "Host: api.localhost"   http://127.0.0.1:8080/books'
	@echo '      curl -H "Host: site.localhost"  http://127.0.0.1:8080/     (or open http://site.localhost:8080/)'
	@bin/nano serve --config contrib/examples/nano.toml

contrib/examples/node_modules: contrib/examples/package.json contrib/examples/package-lock.json
	cd contrib/examples && npm ci --no-audit --no-fund
	@touch $@

# The frameworks that the tests run, from npm.
FRAMEWORKS = app/testdata/frameworks

.PHONY: testapps
testapps: $(FRAMEWORKS)/.built contrib/examples/node_modules

# Not npm ci: rollup's optional packages for other systems lag behind in some registries,
# and that calls the lock file out of date.
$(FRAMEWORKS)/.built: $(shell find $(FRAMEWORKS) -type f -not -path '*/node_modules/*' -not -path '*/.svelte-kit/*' -not -name .built 2>/dev/null)
	cd $(FRAMEWORKS) && npm install --no-save --no-audit --no-fund && npm run build
	@touch $@

.PHONY: test
test: generate testapps ## all tests that need no root
	$(GO) test ./...
	node --test webapi/js/test/*.test.mjs

.PHONY: race
race: generate testapps ## the same with the race detector
	$(GO) test -race ./...

.PHONY: lint
lint: generate ## go vet, staticcheck, gofumpt
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@out="$$($(GO) tool gofumpt -l $$(git ls-files '*.go'))"; test -z "$$out" || { echo "not formatted (go tool gofumpt -w FILE):"; echo "$$out"; exit 1; }

.PHONY: clean
clean: ## forget what was built
	rm -rf bin dist webapi/dist webapi/node_modules $(HEADERS)

include $(wildcard */*.mk)
