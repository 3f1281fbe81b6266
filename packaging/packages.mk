# Packages: `make deb rpm` puts those of both architectures into dist/. The same
# commit gives the same bytes: times come from the commit, paths are trimmed.
# PACKAGE_VERSION=1.2.3 names another version than the tree's.

PACKAGE_VERSION := $(or $(PACKAGE_VERSION),$(shell packaging/version 2>/dev/null))
PACKAGE_FLAGS    = -buildmode=pie -trimpath -buildvcs=false -ldflags '-s -w -buildid= -X main.version=$(PACKAGE_VERSION) -extldflags "-Wl,-z,relro,-z,now"'
STAGE            = dist/stage/$(PACKAGE_VERSION)
COMMIT_TIME     := $(shell git log -1 --format=%ct 2>/dev/null)

# The compiler of an architecture, and the packages that have it.
CROSS_amd64 = x86_64-linux-gnu-
CROSS_arm64 = aarch64-linux-gnu-
CROSS_PACKAGE_amd64 = g++-x86-64-linux-gnu,gcc-c++-x86_64-linux-gnu
CROSS_PACKAGE_arm64 = g++-aarch64-linux-gnu,gcc-c++-aarch64-linux-gnu
# This machine's own has no prefix everywhere.
NATIVE := $(shell $(GO) env GOHOSTARCH 2>/dev/null)
CROSS_$(NATIVE) =
CROSS_PACKAGE_$(NATIVE) = g++,gcc-c++
comma := ,

.PHONY: deb
deb: deb-amd64 deb-arm64 ## Debian packages, amd64 and arm64, into dist/

.PHONY: rpm
rpm: rpm-amd64 rpm-arm64 ## RPM packages, amd64 and arm64, into dist/

.PHONY: deb-amd64 deb-arm64
deb-amd64 deb-arm64: deb-%: stage-%
	$(call nfpm,deb,$*)

.PHONY: rpm-amd64 rpm-arm64
rpm-amd64 rpm-arm64: rpm-%: stage-%
	$(call nfpm,rpm,$*)

# nfpm(packager, architecture)
nfpm = ARCH=$(2) STAGE=$(STAGE)/$(2) VERSION='$(PACKAGE_VERSION)' SOURCE_DATE_EPOCH=$(COMMIT_TIME) \
	$(GO) tool nfpm package --config packaging/nfpm.yaml --packager $(1) --target dist/

# What of a package is made and not written.
.PHONY: stage-amd64 stage-arm64
stage-amd64 stage-arm64: stage-%: generate changelog
	@$(call need,$(CROSS_$*)g++,$(word 1,$(subst $(comma), ,$(CROSS_PACKAGE_$*))),$(word 2,$(subst $(comma), ,$(CROSS_PACKAGE_$*))))
	@mkdir -p $(STAGE)/$*
	CGO_ENABLED=1 GOOS=linux GOARCH=$* CC=$(CROSS_$*)gcc CXX=$(CROSS_$*)g++ $(GO) build $(PACKAGE_FLAGS) -o $(STAGE)/$*/nanod ./cmd/nano
	$(GO) run ./packaging/copyright $(STAGE)/$*/nanod > $(STAGE)/$*/copyright
	$(GO) tool go-md2man -in docs/man/nanod.8.md | gzip -9n > $(STAGE)/$*/nanod.8.gz
	$(GO) tool go-md2man -in docs/man/nano.toml.5.md | gzip -9n > $(STAGE)/$*/nano.toml.5.gz

.PHONY: changelog
changelog:
	@mkdir -p dist/stage
	packaging/changelog '$(PACKAGE_VERSION)-1' $(COMMIT_TIME) > dist/stage/changelog.yaml
