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

// says is the message of a mention: what is done with the word, and whom it harms.
func (s *subject) says(m mention) string {
	on := join(s.harms(m.word.Arch))
	switch {
	case m.severity == Info:
		return fmt.Sprintf("%s names %s; nothing here fetches, installs or compiles by it, so it may stay on %s too", m.word.Text, m.word.Arch, on)
	case strings.HasSuffix(m.does, "a source of"):
		return fmt.Sprintf("%s %s alone: %s finds none in it", m.does, m.word.Text, on)
	case strings.HasSuffix(m.does, " of"):
		name, _ := token(m.text, m.word)
		return fmt.Sprintf("%s %s alone: %s has no %s", m.does, m.word.Arch, on, name)
	case strings.HasSuffix(m.does, " be"):
		return fmt.Sprintf("%s for %s on %s too", m.does, m.word.Text, on)
	case strings.HasSuffix(m.does, " is"), strings.HasSuffix(m.does, " told"), strings.HasSuffix(m.does, " for"):
		return fmt.Sprintf("%s %s on %s too", m.does, m.word.Text, on)
	}
	return fmt.Sprintf("%s the %s file on %s too", m.does, m.word.Text, on)
}

// mends is the edit that a mention needs.
func (s *subject) mends(m mention) string {
	own, branches := s.branches(m.word)
	who := ""
	if project, ok := arch.Lookup(m.text); ok {
		who = ", as " + project.Name + " calls its files"
	}
	switch {
	case m.severity == Info:
		return "leave it if it is meant for others, and say so: # archbuild ignore=arch-literal"
	case strings.HasSuffix(m.does, " is"):
		return "write ARG TARGETARCH without a default: BuildKit sets it"
	case !own && (strings.HasPrefix(m.does, "COPY ") || strings.HasPrefix(m.does, "ADD ")):
		return fmt.Sprintf("declare ARG TARGETARCH in the stage and take a path with ${TARGETARCH} in it; where the names are others (%s), a RUN before it puts the file there", s.words(m.word))
	case m.word.Text == "-m64" || m.word.Text == "-m32":
		return "leave " + m.word.Text + " out: it is the default where it is known"
	case own:
		return fmt.Sprintf("declare ARG TARGETARCH in the stage and write ${TARGETARCH} for %s", m.word.Text)
	case strings.Contains(m.word.Text, ".so.") || isTripletOf(m.word) && m.severity == Warning:
		return fmt.Sprintf("use a path without the machine (/usr/lib/*-linux-gnu, or what the package manager links), or choose by ARG TARGETARCH: %s", branches)
	}
	return fmt.Sprintf("declare ARG TARGETARCH in the stage and choose by it%s: %s, then ${a} for %s", who, branches, m.word.Text)
}

// words are those of all wanted platforms.
func (s *subject) words(w arch.Word) string {
	var list []string
	for _, p := range s.platforms() {
		if name, ok := w.For(p); ok {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

// branches are the case that says a word for each wanted platform; own tells that the
// words are TARGETARCH's.
func (s *subject) branches(w arch.Word) (own bool, text string) {
	own = w.Text == w.Arch || w.Arch == "arm/v7" && w.Text == "arm"
	var list []string
	for _, p := range s.platforms() {
		name, ok := w.For(p)
		if !ok {
			name = "?"
		}
		own = own && name == p.Arch
		list = append(list, fmt.Sprintf("%s) a=%s ;;", p.Arch, name))
	}
	return own, "case \"$TARGETARCH\" in " + strings.Join(list, " ") + " esac"
}
