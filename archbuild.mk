# archbuild.mk: images for many platforms as targets of GNU make, 4.0 or newer. docs/make.md tells more.
#
#	IMAGE     = registry.example/shop/{name}:1.2     # {name} is the folder's name
#	PLATFORMS = linux/amd64 linux/arm64 linux/arm/v7
#	SERVICES  = api web worker                       # folders; without it CONTEXT is the one service
#	include archbuild.mk
#
#	make -j8 image              every service for all PLATFORMS, an OCI layout each in archbuild-out/
#	make image-arm64            every service for one platform, beside it; image-arm-v7, image-riscv64, …
#	make push                   the same as image, then all of them to IMAGE
#	make verify                 look whether what was built is whole and for its platforms
#	make clean                  remove what was built; Dockerfile.ARCH stays
#	make api/Dockerfile.arm64   the Dockerfile of one platform, to read or to keep
#	make api.image              one service: api.image-arm64, api.push, api.verify, api.clean
#
# Variables, each of them for one service too (api.PLATFORMS):
#
#	IMAGE            names and tags to push to
#	PLATFORMS        without any archbuild decides: archbuild.yaml's, or this machine's
#	CONTEXT          the folder to build, of a service its own, else the one of the Makefile
#	DOCKERFILE       the file to build from, else the one in CONTEXT
#	ARCHBUILDFLAGS   more flags for `archbuild build`
#	PUSHFLAGS        more flags for `archbuild manifest create`
#	ARCHBUILD        the program
#
# Nothing is run again while files, Dockerfile and command are the same. Paths with spaces are beyond make.

ifneq (4.0,$(firstword $(sort 4.0 $(MAKE_VERSION))))
$(error archbuild.mk needs GNU make 4.0 or newer, and this is $(MAKE_VERSION))
endif

ARCHBUILD ?= archbuild
CONTEXT ?= .

.PHONY: image push verify clean archbuild.force
image push verify clean:

# Make's own rules are for C and old ways of keeping versions, and some would make a file of a context from another
# one: run from run.sh.
.SUFFIXES:
%: %,v
%: RCS/%,v
%: RCS/%
%: s.%
%: SCCS/s.%

archbuild.empty :=
archbuild.space := $(archbuild.empty) $(archbuild.empty)
archbuild.comma := ,

# A word for the shell.
archbuild.quote = '$(subst ','\'',$(1))'

# The services; one alone is called image.
archbuild.services := $(or $(SERVICES:%/=%),image)
ifeq ($(strip $(SERVICES)),)
image.CONTEXT ?= $(CONTEXT)
endif

# What a variable says for a service: $(call archbuild.of,api,PLATFORMS).
archbuild.of = $(if $(filter undefined,$(origin $(1).$(2))),$($(2)),$($(1).$(2)))
archbuild.platforms = $(subst $(archbuild.comma),$(archbuild.space),$(call archbuild.of,$(1),PLATFORMS))
archbuild.context = $(or $($(1).CONTEXT),$(1))
archbuild.name = $(notdir $(abspath $(call archbuild.context,$(1))))
archbuild.images = $(subst {name},$(call archbuild.name,$(1)),$(call archbuild.of,$(1),IMAGE))

# Its Dockerfile: api.DOCKERFILE as make sees it, DOCKERFILE below the context if it is there.
archbuild.dockerfile = $(or $($(1).DOCKERFILE),$(if $(DOCKERFILE),$(firstword $(wildcard \
  $(call archbuild.context,$(1))/$(DOCKERFILE)) $(DOCKERFILE))))
archbuild.template = $(patsubst ./%,%,$(or $(call archbuild.dockerfile,$(1)),$(firstword $(wildcard $(addprefix \
  $(call archbuild.context,$(1))/,Dockerfile dockerfile Dockerfile.template Containerfile)))))

# Where its results go, and the platform behind a word of a target: arm-v7.
archbuild.out = archbuild-out/$(subst /,-,$(1))
archbuild.platform = linux/$(subst -v,/v,$(1))
archbuild.archs := $(sort amd64 arm64 arm-v7 arm-v6 386 riscv64 ppc64le s390x $(subst /,-,$(patsubst linux/%,%,$(filter-out \
  linux/arm linux/arm64/v8,$(foreach s,$(archbuild.services),$(call archbuild.platforms,$(s)))))))

# The command that builds a service: $(call archbuild.command,api,-arm64,linux/arm64).
archbuild.command = $(ARCHBUILD) build $(call archbuild.quote,$(call archbuild.context,$(1)))$(if \
  $(call archbuild.dockerfile,$(1)), -f $(call archbuild.quote,$(call archbuild.dockerfile,$(1))))$(if \
  $(strip $(3)), --platform $(subst $(archbuild.space),$(archbuild.comma),$(strip $(3))))$(foreach \
  i,$(call archbuild.images,$(1)), -t $(call archbuild.quote,$(i))) -o type=oci$(archbuild.comma)tar=false$(archbuild.comma)dest=$(call \
  archbuild.out,$(1))$(2) --iidfile $(call archbuild.out,$(1))$(2).digest --deps $(call archbuild.out,$(1))$(2).d $(call \
  archbuild.of,$(1),ARCHBUILDFLAGS)

# The command is kept before it is run, and the digest comes last: one that is there was made by the command that was kept.
define archbuild.recipe
@rm -f $(call archbuild.out,$(1))$(2).digest
@printf '%s\n' 'define archbuild.was.$(1)$(2)' $(call archbuild.quote,$(call archbuild.command,$(1),$(2),$(3))) endef >$(call archbuild.out,$(1))$(2).was
$(call archbuild.command,$(1),$(2),$(3))
endef

# Another command than last time has the service built again.
archbuild.changed = $(if $(value archbuild.was.$(1)$(2)),$(if $(subst x$(call \
  archbuild.command,$(1),$(2),$(3))x,,x$(value archbuild.was.$(1)$(2))x),$(eval $(call archbuild.out,$(1))$(2).digest: archbuild.force)))

# All targets of a service, where the recipes run later.
define archbuild.rules
.PHONY: $(1).image $(1).push $(1).verify $(1).clean $(archbuild.archs:%=$(1).image-%)
image: $(1).image
push: $(1).push
verify: $(1).verify
clean: $(1).clean
$(1).image: $(call archbuild.out,$(1)).digest
$(archbuild.archs:%=$(1).image-%): $(1).image-%: $(call archbuild.out,$(1))-%.digest

$(call archbuild.out,$(1)).digest: $(call archbuild.template,$(1)) | archbuild-out
	$$(call archbuild.recipe,$(1),,$$(call archbuild.platforms,$(1)))
$(archbuild.archs:%=$(call archbuild.out,$(1))-%.digest): $(call archbuild.out,$(1))-%.digest: $(call archbuild.template,$(1)) | archbuild-out
	$$(call archbuild.recipe,$(1),-$$*,$$(call archbuild.platform,$$*))

$(1).push: $(call archbuild.out,$(1)).digest
	$$(if $$(call archbuild.images,$(1)),,$$(error nothing says where to push $(1) to: set IMAGE or $(1).IMAGE))$$(ARCHBUILD) manifest create$$(foreach \
	  i,$$(call archbuild.images,$(1)), -t $$(call archbuild.quote,$$(i))) $$(call archbuild.of,$(1),PUSHFLAGS) $(call archbuild.out,$(1))
$(1).verify: $(call archbuild.out,$(1)).digest
	$$(ARCHBUILD) verify $(call archbuild.out,$(1))
$(1).clean:
	rm -rf $$(wildcard $(foreach o,$(call archbuild.out,$(1)) $(archbuild.archs:%=$(call archbuild.out,$(1))-%),$(o) $(o).digest $(o).d $(o).was) $(call archbuild.out,$(1))-Dockerfile.*.d)
endef

# Dockerfile.ARCH beside its template. What lies there besides counts from the moment that it is there.
define archbuild.dockerfiles
$(archbuild.archs:%=$(2).%): $(2).%: $(3) $(wildcard $(dir $(3))archbuild.yaml $(dir $(3))archbuild.lock $(3).dockerignore) | archbuild-out
	$$(ARCHBUILD) rewrite $(call archbuild.quote,$(3)) --platform $$(call archbuild.platform,$$*) --deps $(call archbuild.out,$(1))-Dockerfile.$$*.d
endef

archbuild-out:
	@mkdir -p $@

.PHONY: $(archbuild.archs:%=image-%)
$(archbuild.archs:%=image-%): image-%: $(archbuild.services:%=%.image-%)

# What was found out last time: which files count, and the commands.
-include $(wildcard archbuild-out/*.d archbuild-out/*.was)

$(foreach s,$(archbuild.services),$(eval $(call archbuild.rules,$(s))))
$(foreach s,$(archbuild.services),$(foreach t,$(call archbuild.template,$(s)),$(eval $(call archbuild.dockerfiles,$(s),$(t:%.template=%),$(t)))))
$(foreach s,$(archbuild.services),$(call archbuild.changed,$(s),,$(call archbuild.platforms,$(s)))$(foreach \
  a,$(archbuild.archs),$(call archbuild.changed,$(s),-$(a),$(call archbuild.platform,$(a)))))
