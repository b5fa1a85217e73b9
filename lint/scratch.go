package lint

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// distribution matches images that are a distribution and nothing else.
var distribution = regexp.MustCompile(`^(?:docker\.io/)?(?:library/|(?:amd64|arm64v8|arm32v7|i386|s390x|ppc64le|riscv64)/)?` +
	`(?:alpine|debian|ubuntu|centos|rockylinux|almalinux|fedora|amazonlinux|oraclelinux|archlinux|photon|clearlinux|opensuse/[a-z]+|rockylinux/[a-z-]+|buildpack-deps)(?:[:@].*)?$` +
	`|(?:^|/)(?:ubi[789](?:-minimal|-micro)?(?:/ubi(?:-minimal|-micro)?)?|minideb|wolfi-base|alpine|debian|ubuntu)(?:[:@].*)?$`)

// scratchWouldDo tells of an image that is a static program on a distribution.
func scratchWouldDo(s *subject) {
	views := s.views()
	if len(views) == 0 {
		return
	}
	for _, v := range views {
		use := v.base(s.Template, v.final)
		if use.Kind != template.External || use.Problem != nil || !distribution.MatchString(use.Image) || v.ofBuild[v.final] {
			return
		}
	}
	v := views[0]
	programs := s.onlyPrograms(v.final)
	i := slices.IndexFunc(programs, func(program string) bool { return s.startsAlone(v.final, program) })
	if i < 0 {
		return
	}
	stage := &s.Template.Stages[v.final]
	ref := &s.Template.References[stage.Base]
	image := v.uses[stage.Base].Image
	fix := "write " + strings.Replace(s.fromLine(ref), ref.Text, "scratch", 1)
	if more := s.brought(v.final); more != "" {
		fix = "write " + strings.Replace(s.fromLine(ref), ref.Text, "gcr.io/distroless/static", 1) + ", which has " + more
	}
	s.add(Finding{
		ID: "scratch-would-do", Severity: Info, Line: stage.Line, Spans: []template.Span{ref.Span},
		Message: fmt.Sprintf("%s is static, so nothing of %s is needed to run it", programs[i], image), Fix: fix,
	})
}

// onlyPrograms are those that a stage consists of: static ones, copied from other
// stages, beside which there are certificates alone. There are none if there is something else.
func (s *subject) onlyPrograms(stage int) (programs []string) {
	m := s.making(stage)
	for _, c := range m.copies {
		for _, source := range c.sources {
			if harmless.MatchString(source) && (c.stage >= 0 || c.image) {
				continue
			}
			if c.stage < 0 || !s.isStatic(c.stage, source, 0) {
				return nil
			}
			name := c.dest
			if c.folder || slices.Contains(programFolders, c.dest) {
				name = path.Join(c.dest, path.Base(source))
			}
			programs = append(programs, name)
		}
	}
	return programs
}

// harmless matches files that a static program may need, and that scratch can have.
var harmless = regexp.MustCompile(`^/etc/(?:ssl|passwd|group|ca-certificates)|^/usr/share/(?:zoneinfo|ca-certificates)|\.(?:crt|pem)$|zoneinfo`)

// isStatic tells whether what is taken from a stage is certainly a static program.
func (s *subject) isStatic(stage int, source string, depth int) bool {
	if depth > deepest {
		return false
	}
	m := s.making(stage)
	for i := len(m.products) - 1; i >= 0; i-- {
		if p := m.products[i]; overlap(p, source) && !p.modules {
			return p.static
		}
	}
	for i := len(m.copies) - 1; i >= 0; i-- {
		for _, from := range m.copies[i].sources {
			if at, ok := m.copies[i].origin(from, source); ok && m.copies[i].stage >= 0 && m.copies[i].stage != stage {
				return s.isStatic(m.copies[i].stage, at, depth+1)
			}
		}
	}
	return false
}

// startsAlone tells whether a stage runs a program, and nothing of its base: neither a
// shell, nor a health check, nor what a RUN has installed.
func (s *subject) startsAlone(stage int, program string) bool {
	starts := ""
	for _, in := range s.walked().Stages[stage].Instructions {
		switch c := in.Command.(type) {
		case *instructions.EntrypointCommand:
			if c.PrependShell || len(c.CmdLine) == 0 {
				return false
			}
			starts = c.CmdLine[0]
		case *instructions.CmdCommand:
			if c.PrependShell {
				return false
			}
			if starts == "" && len(c.CmdLine) > 0 {
				starts = c.CmdLine[0]
			}
		case *instructions.HealthCheckCommand:
			if c.Health == nil || len(c.Health.Test) > 0 && c.Health.Test[0] != "NONE" {
				return false
			}
		case *instructions.ShellCommand, *instructions.OnbuildCommand:
			return false
		case *instructions.RunCommand:
			if in.Script.Plain || in.Script.Foreign || len(c.Files) > 0 || slices.ContainsFunc(in.Script.Commands, func(c script.Command) bool { return !setsUp(c) }) {
				return false
			}
		}
	}
	if !strings.Contains(starts, "/") {
		return starts == path.Base(program) && slices.Contains(programFolders, path.Dir(program))
	}
	return s.making(stage).abs(starts, s.making(stage).dir) == program
}

// setsUp tells whether a command adds nothing but certificates, time zones, users and folders.
func setsUp(c script.Command) bool {
	args := texts(c.Args)
	switch c.Name {
	case "", "set", "true", "rm", "mkdir", "adduser", "addgroup", "useradd", "groupadd", "chown", "chmod", "update-ca-certificates", "touch", "export", "usermod":
		return true
	case "apk", "apt-get", "apt", "dnf", "yum", "microdnf", "tdnf", "zypper":
		rest := slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") || strings.Contains(a, "/") })
		if len(rest) == 0 {
			return true
		}
		verb := rest[0]
		if slices.Contains([]string{"update", "clean", "autoremove", "upgrade", "dist-upgrade", "makecache", "del", "cache"}, verb) {
			return true
		}
		return slices.Contains([]string{"add", "install", "in"}, verb) && !slices.ContainsFunc(rest[1:], func(p string) bool {
			p, _, _ = strings.Cut(p, "=")
			return !slices.Contains([]string{"ca-certificates", "tzdata", "ca-certificates-bundle", "shadow", "passwd", "netbase", "openssl-certs"}, p)
		})
	}
	return false
}

// brought is what the RUNs of a stage add, in words.
func (s *subject) brought(stage int) string {
	var list []string
	for _, in := range s.walked().Stages[stage].Instructions {
		for _, c := range in.Script.Commands {
			for _, what := range []struct{ word, is string }{{"ca-certificates", "certificates"}, {"tzdata", "time zones"}} {
				if slices.Contains(texts(c.Args), what.word) && !slices.Contains(list, what.is) {
					list = append(list, what.is)
				}
			}
			if slices.Contains([]string{"adduser", "useradd", "addgroup", "groupadd"}, c.Name) && !slices.Contains(list, "a user nonroot") {
				list = append(list, "a user nonroot")
			}
		}
	}
	return strings.Join(list, ", ")
}
