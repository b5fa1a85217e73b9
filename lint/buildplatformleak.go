package lint

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// A stage FROM --platform=$BUILDPLATFORM runs on the machine that builds, and what it
// compiles or installs is for that machine unless it is told otherwise. The image must
// not stand on such a stage, and may take from it only what is for the target, or for all.

// buildplatformLeak finds what gets into the image though it is for the build machine.
func buildplatformLeak(s *subject) {
	for _, v := range s.views() {
		if v.stands(s) {
			continue
		}
		l := &leaks{subject: s, view: v, seen: map[taken]bool{}}
		for _, stage := range v.chain {
			l.stage(stage, "/", 0)
		}
	}
}

// stands tells of an image that stands on the build platform.
func (v *view) stands(s *subject) bool {
	for _, stage := range v.chain {
		st := &s.Template.Stages[stage]
		if !v.ofBuild[stage] || st.PlatformFlag == "" || v.base(s.Template, stage).Kind != template.External {
			continue
		}
		ref := &s.Template.References[st.Base]
		f := Finding{
			ID: "buildplatform-leak", Severity: Error, Line: st.Line, Spans: s.flagSpan(ref, st), Platforms: s.allButBuild(),
			Message: fmt.Sprintf("the image stands on %s: for all platforms it would hold what is for the machine that builds", s.stageName(stage)),
			Fix:     "take it out: " + strings.Join(strings.Fields(strings.Replace(s.fromLine(ref), "--platform="+st.PlatformFlag, "", 1)), " "),
		}
		if stage != v.final {
			f.Message = fmt.Sprintf("the image starts from %s, which is on the build platform: for all platforms it would hold what is for the machine that builds", s.stageName(stage))
		}
		s.add(f)
		return true
	}
	return false
}

// allButBuild are the wanted platforms that the build platform does not serve.
func (s *subject) allButBuild() []platform.Platform {
	return slices.DeleteFunc(s.platforms(), s.Build.Serves)
}

// leaks follows what gets into the image of one platform.
type leaks struct {
	*subject
	view
	seen map[taken]bool
}

// taken is a path of a stage that gets into the image.
type taken struct {
	stage int
	path  string
}

// deepest is how many stages are followed one after the other.
const deepest = 20

// stage looks at what a stage of the target has copied to a path, or below it, or above it.
func (l *leaks) stage(stage int, name string, depth int) {
	if depth > deepest || l.seen[taken{stage, name}] {
		return
	}
	l.seen[taken{stage, name}] = true
	for _, c := range l.making(stage).copies {
		if c.stage < 0 || c.stage == stage {
			continue
		}
		for _, source := range c.sources {
			from, ok := c.origin(source, name)
			switch {
			case !ok:
			case !l.ofBuild[c.stage]:
				l.stage(c.stage, from, depth+1)
			default:
				l.judge(c, source, from)
			}
		}
	}
}

// origin is the path in the stage copied from of what lies at a path here, or below it.
func (c copied) origin(source, name string) (string, bool) {
	base, pattern := unglobbed(source)
	switch {
	case below(c.dest, name):
		return source, true
	case !below(name, c.dest):
		return "", false
	case pattern:
		return path.Join(base, path.Base(name)), true
	}
	inside := strings.TrimPrefix(name[len(strings.TrimSuffix(c.dest, "/")):], "/")
	if c.folder && (inside == path.Base(source) || strings.HasPrefix(inside, path.Base(source)+"/")) { // a file keeps its name
		inside = strings.TrimPrefix(strings.TrimPrefix(inside, path.Base(source)), "/")
	}
	return path.Join(source, inside), true
}

// judge tells of a COPY from a stage of the build platform, if it takes what is for that.
func (l *leaks) judge(c copied, source, name string) {
	why, severity, fix := l.leak(c.stage, name, 0)
	if why == "" {
		return
	}
	l.add(Finding{
		ID: "buildplatform-leak", Severity: severity, Line: c.line, Platforms: l.allButBuild(),
		Message: fmt.Sprintf("%s comes from %s, which runs on the build platform: %s", source, l.stageName(c.stage), why), Fix: fix,
	})
}

// leak tells why a path of a stage on the build platform is for that; empty where it is
// not, or nobody can tell.
func (l *leaks) leak(stage int, name string, depth int) (why string, severity Severity, fix string) {
	if depth > deepest || strings.Contains(name, "$") {
		return "", "", ""
	}
	m := l.making(stage)
	var last *product
	for i := range m.products {
		p := &m.products[i]
		if !overlap(*p, name) || p.bin && !l.isProgram(name) || p.modules && data.MatchString(name) {
			continue
		}
		if last == nil || p.path == last.path || last.targeted || last.modules {
			last = p
		}
	}
	if last != nil {
		return l.product(last)
	}
	for i := len(m.copies) - 1; i >= 0; i-- {
		c := m.copies[i]
		for _, source := range c.sources {
			from, ok := c.origin(source, name)
			switch {
			case !ok || path.Clean(c.dest) == "/" && name != "/":
			case c.stage >= 0 && l.ofBuild[c.stage] && c.stage != stage:
				return l.leak(c.stage, from, depth+1)
			case below(name, c.dest) && !isSystem(c.dest):
				return "", "", ""
			case name == c.dest || below(name, path.Join(c.dest, path.Base(source))):
				return "", "", ""
			}
		}
	}
	return l.system(stage, m, name)
}

// product tells of what is known to be made there.
func (l *leaks) product(p *product) (why string, severity Severity, fix string) {
	switch {
	case p.targeted:
		return "", "", ""
	case p.modules:
		return fmt.Sprintf("%s of line %d may put programs for that machine there", p.what, p.line), Warning,
			"install it in a stage of the target: without --platform=$BUILDPLATFORM, or in the final one"
	}
	return fmt.Sprintf("%s of line %d names no target, so it is for the machine that builds", p.what, p.line), Error, targetFix(p.what)
}

// targetFix is how a compiler is told for what it compiles.
func targetFix(what string) string {
	switch name, _, _ := strings.Cut(what, " "); name {
	case "go":
		return "write ARG TARGETOS TARGETARCH above it, and GOOS=$TARGETOS GOARCH=$TARGETARCH before " + what
	case "cargo", "rustc":
		return "give it --target, chosen by case \"$TARGETARCH\", and a linker for it; or leave --platform=$BUILDPLATFORM out of that stage"
	case "dotnet":
		return "write ARG TARGETARCH above it, and dotnet publish -a $TARGETARCH"
	case "deno", "bun", "zig", "swift", "dart":
		return "give it the target, chosen by case \"$TARGETARCH\"; or leave --platform=$BUILDPLATFORM out of that stage"
	case "gcc", "g++", "cc", "c++", "clang", "clang++", "make", "cmake", "configure":
		return "take a cross compiler for $TARGETPLATFORM (xx-clang, or gcc-aarch64-linux-gnu and its like); or leave --platform=$BUILDPLATFORM out of that stage"
	}
	return "leave --platform=$BUILDPLATFORM out of that stage: it works for its own machine only"
}

// isProgram tells whether a path looks like that of a program.
func (l *leaks) isProgram(name string) bool {
	if path.Ext(name) != "" && path.Ext(name) != ".so" {
		return false
	}
	return slices.Contains(strings.Split(name, "/"), "bin") || l.started(path.Base(name))
}

// started tells whether the image is started by a program of a name.
func (l *leaks) started(name string) bool {
	for _, stage := range l.chain {
		for _, in := range l.walked().Stages[stage].Instructions {
			if (in.Name == "ENTRYPOINT" || in.Name == "CMD") && slices.ContainsFunc(in.Words, func(w script.Word) bool { return path.Base(w.Text) == name }) {
				return true
			}
		}
	}
	return false
}

// data matches paths of files that are the same for every machine.
var data = regexp.MustCompile(`(?i)(?:^|/)(?:etc|share|include|src|certs?|ca-certificates|zoneinfo|licen[cs]es?|locale|i18n|doc|docs|html|www|templates|static|public|config|conf|fonts|man)(?:/|$)` +
	`|\.(?:crt|pem|key|jar|war|ear|conf|cfg|ini|toml|ya?ml|json|xml|html?|css|js|mjs|map|txt|md|sh|bash|py|rb|php|pl|ttf|woff2?|png|svg|tar|gz|tgz|zip|xz|bz2|wasm|sql|proto|bin|dat|img|ko|dll|pdb|class|properties|repo|list|gpg|asc|pub|patch|service)$`)

// system are the folders in which a distribution has programs and libraries.
var system = []string{"/", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/opt"}

// isSystem tells whether a path is one of a distribution's programs and libraries.
func isSystem(name string) bool {
	return name == "/" || slices.ContainsFunc(system[1:], func(folder string) bool { return below(name, folder) })
}

// system tells of folders that the stage's image and packages fill. What commands name was
// put there by them.
func (l *leaks) system(stage int, m *making, name string) (why string, severity Severity, fix string) {
	at, _ := unglobbed(name)
	untouched := !m.ran && slices.Contains(strings.Split(at, "/"), "bin") // as its image has it
	if data.MatchString(name) || !isSystem(at) && !untouched || below(at, m.dir) && m.dir != "/" && !slices.Contains(system, m.dir) || slices.ContainsFunc(m.named, func(n string) bool { return mayWrite(n, at) }) || m.carved && m.aware {
		return "", "", ""
	}
	if l.owned(at) {
		return "", "", ""
	}
	if scripts.MatchString(at) {
		return "", "", ""
	}
	if strings.Contains(at, "-packages") || strings.Contains(at, "/bundle") || strings.Contains(at, "node_modules") {
		return "its packages may hold programs for that machine", Warning, "install them in a stage of the target: without --platform=$BUILDPLATFORM, or in the final one"
	}
	return "what lies there is for the machine that builds", Error,
		fmt.Sprintf("install it in the final stage, or leave --platform=%s out of the stage that it comes from", l.flagOf(stage))
}

// scripts are commands and tools of images that are text or classes, whatever machine runs them.
var scripts = regexp.MustCompile(`/(?:composer|docker-php-[a-z-]+|docker-entrypoint|entrypoint|wait-for(?:-it)?|mvn|maven|gradle|ant|sbt|yarn[^/]*|npm|npx|corepack|phpunit|wp|drush|hugo-themes)(?:/|$)`)

// flagOf is the --platform of a stage, or of the one that it starts from.
func (l *leaks) flagOf(stage int) string {
	for _, one := range l.chainOf(l.Template, stage) {
		if flag := l.Template.Stages[one].PlatformFlag; flag != "" {
			return flag
		}
	}
	return "$BUILDPLATFORM"
}

// owned tells whether a path lies in a folder that the author has made or works in.
func (l *leaks) owned(name string) bool {
	first := strings.Split(strings.Trim(name, "/"), "/")
	if len(first) < 2 || first[0] != "opt" && !(len(first) > 2 && first[0] == "usr" && first[1] == "local") && first[0] != "usr" {
		return false
	}
	return slices.Contains([]string{"app", "application", "src", "code", "project", "workspace"}, first[1]) ||
		len(first) > 2 && slices.Contains([]string{"app", "src"}, first[2])
}

// mayWrite tells whether a command that names one path may have written the other: the same
// one, one below it, or a folder that holds it and is none of the distribution's.
func mayWrite(named, name string) bool {
	named, _ = unglobbed(named)
	switch {
	case named == name:
		return true
	case below(name, named):
		return !slices.Contains(system, named) && named != "/usr/lib" && named != "/usr/local" || slices.Contains([]string{"/usr/local/bin", "/usr/local/lib", "/opt"}, named)
	}
	return below(named, name) && !slices.Contains(system, name) && name != "/usr/lib" && name != "/usr/bin"
}
