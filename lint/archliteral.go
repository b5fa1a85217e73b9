package lint

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/template"
)

// archLiteral reports architectures that are written out.
func (s *subject) archLiteral() {
	for _, m := range s.allMentions() {
		if m.link {
			continue
		}
		s.add(s.finding("arch-literal", m, s.says(m), s.mends(m)))
	}
}

// madeLinks reports symbolic links that a RUN makes into the folder of an architecture.
func (s *subject) madeLinks() {
	for _, m := range s.allMentions() {
		if !m.link {
			continue
		}
		harmed := s.harms(m.word.Arch)
		s.add(s.finding("arch-link", m, fmt.Sprintf("the link leads to %s, which only %s has: it leads nowhere on %s", m.text, m.word.Arch, join(harmed)), s.mends(m)))
	}
}

// finding makes one of a mention.
func (s *subject) finding(id string, m mention, message, fix string) Finding {
	f := Finding{ID: id, Severity: m.severity, Line: s.lineOf(m.at), Message: message, Fix: fix, Platforms: s.harms(m.word.Arch)}
	if m.span.End > 0 {
		f.Spans = []template.Span{m.span}
	}
	return f
}

// says is the message of a mention.
func (s *subject) says(m mention) string {
	on := join(s.harms(m.word.Arch))
	switch {
	case m.severity == Info:
		return fmt.Sprintf("%s names %s; nothing here fetches, installs or compiles by it, so it may stay on %s too", m.word.Text, m.word.Arch, on)
	case strings.HasSuffix(m.does, " of"):
		return fmt.Sprintf("%s %s alone: %s is not there on %s", m.does, m.word.Arch, m.word.Text, on)
	case strings.HasSuffix(m.does, " be"), strings.HasSuffix(m.does, " is"):
		return fmt.Sprintf("%s for %s on %s too", m.does, m.word.Text, on)
	case strings.HasSuffix(m.does, " told"):
		return fmt.Sprintf("%s %s on %s too", m.does, m.word.Text, on)
	case strings.HasSuffix(m.does, " for"):
		return fmt.Sprintf("%s %s on %s too", m.does, m.word.Text, on)
	case m.does == "":
		return fmt.Sprintf("%s is for %s on %s too", m.word.Text, m.word.Arch, on)
	}
	return fmt.Sprintf("%s the %s file on %s too", m.does, m.word.Text, on)
}

// mends is the edit that a mention needs.
func (s *subject) mends(m mention) string {
	if m.severity == Info {
		return "leave it if it is meant for others; suppress it with # archbuild ignore=arch-literal"
	}
	own := true
	var branches []string
	for _, p := range s.platforms() {
		name, ok := m.word.For(p)
		if !ok {
			name = "?"
		}
		own = own && name == p.Arch
		branches = append(branches, fmt.Sprintf("%s) a=%s ;;", p.Arch, name))
	}
	who := ""
	if project, ok := arch.Lookup(m.text); ok {
		who = " (as " + project.Name + " calls them)"
	}
	switch {
	case own && isOne(m.word):
		return fmt.Sprintf("declare ARG TARGETARCH in the stage and write ${TARGETARCH} for %s", m.word.Text)
	case strings.Contains(m.word.Text, ".so.") || isTripletOf(m.word) && m.severity == Warning:
		return fmt.Sprintf("use a path without the machine: a glob such as /usr/lib/*-linux-gnu, what the package manager links, or ${TARGETARCH} in a case: %s", strings.Join(branches, " "))
	}
	return fmt.Sprintf("declare ARG TARGETARCH in the stage and choose by it%s: case \"$TARGETARCH\" in %s esac, then ${a} for %s", who, strings.Join(branches, " "), m.word.Text)
}

// isOne tells that a word is a GOARCH as it stands.
func isOne(w arch.Word) bool {
	return w.Text == w.Arch || w.Arch == "arm/v7" && w.Text == "arm"
}
