package lint

import (
	"fmt"
	"strings"

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

// says is the message of a mention: what is done with the word, and whom it harms.
func (s *subject) says(m mention) string {
	harmed := s.harms(m.word.Arch)
	on := join(harmed)
	has, finds := "has", "finds"
	if is(harmed) == "are" {
		has, finds = "have", "find"
	}
	name, _ := token(m.text, m.word)
	switch {
	case m.severity == Info:
		return fmt.Sprintf("%s names %s; nothing here fetches, installs or compiles by it, so it may stay on %s too", m.word.Text, m.word.Arch, on)
	case strings.HasSuffix(m.does, "a source of"):
		return fmt.Sprintf("%s %s alone: %s %s none in it", m.does, m.word.Text, on, finds)
	case strings.HasSuffix(m.does, " of"):
		return fmt.Sprintf("%s %s alone: %s %s no %s", m.does, m.word.Arch, on, has, name)
	case strings.HasSuffix(m.does, " names"):
		return fmt.Sprintf("%s %s, which is for %s alone: %s %s none", m.does, name, m.word.Arch, on, has)
	case strings.HasSuffix(m.does, " runs"):
		return fmt.Sprintf("%s %s, a program for %s, on %s too", m.does, name, m.word.Arch, on)
	case strings.HasSuffix(m.does, " be"):
		return fmt.Sprintf("%s for %s on %s too", m.does, m.word.Text, on)
	case strings.HasSuffix(m.does, " is"), strings.HasSuffix(m.does, " told"), strings.HasSuffix(m.does, " for"):
		return fmt.Sprintf("%s %s on %s too", m.does, m.word.Text, on)
	case m.tool:
		return fmt.Sprintf("%s the %s file for the machine that builds: where that is %s it does not run", m.does, m.word.Text, on)
	}
	return fmt.Sprintf("%s the %s file on %s too", m.does, m.word.Text, on)
}
