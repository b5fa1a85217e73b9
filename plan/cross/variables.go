package cross

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
)

// Variables by which an author chooses a machine himself.
var chosen = []string{
	"GOARCH", "GOARM", "GOARM64", "GO386", "GOAMD64", "GOPPC64", "GORISCV64", "GOMIPS", "GOMIPS64", "GOHOSTARCH", "GOHOSTOS",
	"CC", "CXX", "AR", "LD", "CC_FOR_TARGET", "CROSS_COMPILE", "CARGO_BUILD_TARGET", "npm_config_arch", "npm_config_cpu",
	"npm_config_target_arch", "npm_config_libc", "npm_config_platform", "npm_config_os", "DOCKER_DEFAULT_PLATFORM",
}

// Variables that hold the machine, in the shell or by custom in base images.
var machine = []string{"HOSTTYPE", "MACHTYPE", "DEB_HOST_ARCH", "DEB_HOST_MULTIARCH", "DEB_BUILD_ARCH", "DEB_TARGET_ARCH", "ARCH", "CPU", "DPKG_ARCH"}

// isPlatformArg tells whether BuildKit sets an ARG by the platform.
func isPlatformArg(name string) bool {
	switch name {
	case "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "TARGETOSVERSION",
		"BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT", "BUILDOSVERSION":
		return true
	}
	return false
}

// assign gives a variable of the stage, or of a script, a value.
func (w *walk) assign(name, text string, export bool) {
	w.judge(name, text, w.line)
	v := value{text: text, exported: export || w.state.vars[name].exported, line: w.line}
	w.state.vars[name] = v
}

// judge looks whether a variable decides what the recipes want to decide.
func (w *walk) judge(name, text string, line int) {
	switch {
	case slices.Contains(chosen, name) && text != "":
		w.stay(AuthorDecided, line, "its author sets %s", name)
	case name == "GOOS" && text != "linux" && text != "":
		w.stay(AuthorDecided, line, "its author sets GOOS")
	case name == "GOFLAGS":
		w.goFlags(strings.Fields(text), line)
	case name == "GOEXPERIMENT" && strings.Contains(text, "boringcrypto"):
		w.stay(CgoOn, line, "GOEXPERIMENT=boringcrypto needs cgo")
	case name == "PATH":
		w.searchPath(text, line)
	case name == "GOROOT" && !belowAny(text, []string{"/usr"}) && text != "":
		w.stay(UnknownCommand, line, "GOROOT leads elsewhere")
	case name == "TAR_OPTIONS" || name == "LD_PRELOAD" || name == "LD_LIBRARY_PATH" || name == "GOTOOLDIR" || name == "BASH_ENV" || name == "ENV" || name == "NODE_OPTIONS" && strings.Contains(text, "require"):
		w.stay(UnknownCommand, line, "%s changes what commands do", name)
	}
}

// searchPath looks whether commands may come from files of the context.
func (w *walk) searchPath(text string, line int) {
	for _, dir := range strings.Split(text, ":") {
		dir = w.state.abs(dir)
		if dir == "" || isSystem(dir) {
			continue
		}
		if _, seen := w.facts.context(dir); seen {
			w.stay(UnknownCommand, line, "PATH leads to files of the context: %s", dir)
		}
	}
}

// image looks at the image that the stage starts from.
func (w *walk) image(s *template.Stage, use *template.Use) {
	name := strings.ToLower(use.Image)
	bare := strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	repository, tag, _ := strings.Cut(strings.SplitN(bare, "@", 2)[0], ":")
	last := repository[strings.LastIndexByte(repository, '/')+1:]
	w.official = !strings.Contains(repository, "/")
	w.alpine = last == "alpine" || strings.Contains(tag, "alpine")
	w.compiler = !w.alpine
	if last == "golang" && w.official {
		w.golang = tag
		w.state.vars["GOPATH"] = value{text: "/go", exported: true}
	}
	if strings.Contains(repository, "/") && !namesArchitecture(repository) {
		w.official = slices.ContainsFunc(familiar, func(prefix string) bool { return strings.HasPrefix(repository, prefix) })
	}
	if namesArchitecture(bare) || perArchitecture(repository) {
		w.stay(BaseIsPerPlatform, s.Line, "its base %s is one architecture's by name", use.Image)
	}
	if slices.Contains(w.Contexts, use.Image) {
		w.stay(BaseIsPerPlatform, s.Line, "--build-context stands for its base")
	}
	if w.Base == nil {
		return
	}
	base, ok := w.Base(s.Base)
	if !ok {
		return
	}
	if len(base.Onbuild) > 0 {
		w.stay(Onbuild, s.Line, "an ONBUILD of its base runs in it")
	}
	serves := len(base.Platforms) == 0
	for _, p := range base.Platforms {
		serves = serves || p.Serves(w.Build)
	}
	if !serves {
		w.stay(BaseIsPerPlatform, s.Line, "its base does not serve %s", w.Build)
	}
	for _, kv := range base.Env {
		name, text, _ := strings.Cut(kv, "=")
		if name != "PATH" {
			w.judge(name, text, s.Line)
		}
		w.state.vars[name] = value{text: text, exported: true}
	}
}

// familiar are the beginnings of repositories whose images have the usual folders of
// a distribution.
var familiar = []string{
	"hugomods/", "alpine/", "gradle/", "sbtscala/", "bitnami/", "mcr.microsoft.com/", "registry.access.redhat.com/", "public.ecr.aws/docker/library/",
	"cgr.dev/chainguard/", "ghcr.io/graalvm/", "gcr.io/distroless/", "quay.io/fedora/", "registry.suse.com/",
}

// perArchitecture tells whether a repository is one of Docker's for one architecture.
func perArchitecture(repository string) bool {
	first, _, _ := strings.Cut(repository, "/")
	switch first {
	case "i386", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "amd64", "ppc64le", "s390x", "riscv64", "mips64le", "loong64":
		return true
	}
	return false
}
