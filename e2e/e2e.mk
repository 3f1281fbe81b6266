# The end-to-end tests, as root: on the packages of this tree, and on those of a version
# that only differs by its name.

E2E_NEXT    = $(PACKAGE_VERSION)+next
E2E_FOREIGN = $(if $(filter amd64,$(NATIVE)),arm64,amd64)
E2E_RPMARCH = $(if $(filter amd64,$(NATIVE)),x86_64,aarch64)
E2E_DIST    = $(CURDIR)/dist

.PHONY: e2e
e2e: ## as root: the packages on real systemd (needs e2e/install-deps.sh)
	$(MAKE) -j2 deb rpm-$(NATIVE) PACKAGE_VERSION='$(PACKAGE_VERSION)'
	$(MAKE) -j2 deb-$(NATIVE) rpm-$(NATIVE) PACKAGE_VERSION='$(E2E_NEXT)'
	$(GO) test -tags e2e -count 1 -timeout 75m ./e2e $(E2E_FLAGS) \
		-deb '$(E2E_DIST)/nano-runtime_$(PACKAGE_VERSION)-1_$(NATIVE).deb' \
		-next-deb '$(E2E_DIST)/nano-runtime_$(E2E_NEXT)-1_$(NATIVE).deb' \
		-rpm '$(E2E_DIST)/nano-runtime-$(PACKAGE_VERSION)-1.$(E2E_RPMARCH).rpm' \
		-next-rpm '$(E2E_DIST)/nano-runtime-$(E2E_NEXT)-1.$(E2E_RPMARCH).rpm' \
		-foreign-deb '$(E2E_DIST)/nano-runtime_$(PACKAGE_VERSION)-1_$(E2E_FOREIGN).deb'
