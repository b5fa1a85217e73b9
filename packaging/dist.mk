# What a release is made of, below dist/: archives of the program, an image of it, and SHA256SUMS. The same commit and Go give
# the same bytes, wherever and whenever it is done.

# The ends of the archives' names: what Go calls the system, with GOARM behind arm.
DIST_TARGETS ?= linux_amd64 linux_arm64 linux_armv7 linux_riscv64 linux_ppc64le linux_s390x darwin_amd64 darwin_arm64
DIST_PLATFORMS ?= linux/amd64,linux/arm64
DIST_NAME = archbuild_$(VERSION:v%=%)
DIST_ARCHIVES = $(DIST_TARGETS:%=dist/$(DIST_NAME)_%.tar.gz)
DIST_IMAGE = dist/$(DIST_NAME)_image.tar
# The time of every file: the commit's.
DIST_TIME = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct))
# The program for this machine, asked of Go when it is needed.
DIST_HERE = dist/build/$$($(GO) env GOHOSTOS)_$$($(GO) env GOHOSTARCH)/archbuild

.PHONY: dist dist-archives dist-image dist-check dist/more
dist: dist-archives dist-image ## archives for every system, an image and SHA256SUMS, in dist/: the first time an hour on two cores
	cd dist && sha256sum $(notdir $(DIST_ARCHIVES) $(DIST_IMAGE)) > SHA256SUMS

dist-archives: $(DIST_ARCHIVES)
	cd dist && sha256sum $(notdir $(DIST_ARCHIVES)) > SHA256SUMS

dist-check: dist-archives fixtures ## that all archives come out the same elsewhere, and that archbuild for arm64 builds examples/hello
	sh packaging/check.sh "$(VERSION)" $(DIST_TIME) $(DIST_NAME) $(DIST_TARGETS)

$(DIST_TARGETS:%=dist/build/%/archbuild): dist/build/%/archbuild: go FORCE
	GOOS=$(word 1,$(subst _, ,$*)) GOARCH=$(patsubst armv%,arm,$(word 2,$(subst _, ,$*))) GOARM=$(patsubst armv%,%,$(filter armv%,$(subst _, ,$*))) \
	  $(GO) build -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/archbuild

# Whether everything compiles for every system, tests too, without the minutes of linking.
.PHONY: dist-vet $(DIST_TARGETS:%=dist-vet-%)
dist-vet: $(DIST_TARGETS:%=dist-vet-%) ## go vet for every system of dist
$(DIST_TARGETS:%=dist-vet-%): dist-vet-%: go
	GOOS=$(word 1,$(subst _, ,$*)) GOARCH=$(patsubst armv%,arm,$(word 2,$(subst _, ,$*))) GOARM=$(patsubst armv%,%,$(filter armv%,$(subst _, ,$*))) $(GO) vet ./...

# What all archives hold: the same on every system.
dist/more: go
	@$(MAKE) --no-print-directory $(DIST_HERE)
	rm -rf $@ && mkdir -p $@/man $@/completions
	cp LICENSE README.md CHANGELOG.md archbuild.mk $@/
	$(DIST_HERE) docs man $@/man
	$(DIST_HERE) completion bash > $@/completions/archbuild
	$(DIST_HERE) completion zsh > $@/completions/_archbuild
	$(DIST_HERE) completion fish > $@/completions/archbuild.fish

$(DIST_ARCHIVES): dist/$(DIST_NAME)_%.tar.gz: dist/build/%/archbuild dist/more
	rm -rf dist/build/$*/$(DIST_NAME)_$* && mkdir dist/build/$*/$(DIST_NAME)_$*
	cp -R dist/more/. dist/build/$*/archbuild dist/build/$*/$(DIST_NAME)_$*/
	tar -C dist/build/$* --sort=name --format=ustar --mtime=@$(DIST_TIME) --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
	  -cf - $(DIST_NAME)_$* | gzip -9n > $@.new
	rm -rf dist/build/$*/$(DIST_NAME)_$*
	mv $@.new $@

# The program builds the image of itself. That takes its base's registry and Debian's mirror, runc, and emulators.
dist-image: dist/build/linux_amd64/archbuild dist/build/linux_arm64/archbuild
	SOURCE_DATE_EPOCH=$(DIST_TIME) $(DIST_HERE) dist/build -f packaging/Dockerfile --platform $(DIST_PLATFORMS) \
	  -t archbuild:$(VERSION:v%=%) -o type=oci,dest=$(DIST_IMAGE)
