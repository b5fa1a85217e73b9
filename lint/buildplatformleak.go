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

// deepest is how many stages are followed one after the other, mostTaken how many paths in all.
const (
	deepest   = 20
	mostTaken = 2000
)

// stage looks at what a stage of the target has copied to a path, or below it, or above it.
func (l *leaks) stage(stage int, name string, depth int) {
	if depth > deepest || len(l.seen) > mostTaken || l.seen[taken{stage, name}] {
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
		if !overlap(*p, name) || p.bin && !l.isProgram(name) || p.modules && isData(name) || p.loose && path.Ext(name) == ".jar" {
			continue
		}
		if last == nil || p.path == last.path || last.targeted || last.modules {
			last = p
		}
	}
	if last != nil && last.modules && l.onlyText(m, last) {
		return "", "", ""
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
			case !below(name, c.dest):
			case !isSystem(c.dest) || name == c.dest || below(name, path.Join(c.dest, path.Base(source))):
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
	if p.system {
		return fmt.Sprintf("%s, in line %d, takes what is for the machine that builds", p.what, p.line), Error,
			"install it in the final stage, or leave --platform=$BUILDPLATFORM out of the stage that it comes from"
	}
	return fmt.Sprintf("%s of line %d names no target, so it is for the machine that builds", p.what, p.line), Error, targetFix(p.what)
}

// hasPrograms matches what a lock file of npm or pnpm says of a package that compiles, or
// that is there for some machines only.
var hasPrograms = regexp.MustCompile(`"hasInstallScript": *true|"(?:cpu|os)": *\[|requiresBuild: true|\b(?:cpu|os): *\[|node-gyp|prebuild`)

// onlyText tells whether the lock file in the context shows that modules hold no programs.
func (l *leaks) onlyText(m *making, p *product) bool {
	if l.Read == nil || path.Base(p.path) != "node_modules" {
		return false
	}
	for _, name := range []string{"package-lock.json", "pnpm-lock.yaml"} {
		at := path.Join(path.Dir(p.path), name)
		for _, c := range m.copies {
			for _, source := range c.sources {
				from, ok := c.origin(source, at)
				if !ok || c.stage >= 0 || c.image {
					continue
				}
				if text, ok := l.Read(from); ok {
					return strings.Contains(string(text), "packages") && !hasPrograms.Match(text)
				}
			}
		}
	}
	return false
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
