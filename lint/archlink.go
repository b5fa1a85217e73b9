package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/platform"
)

// archLink finds symbolic links that lead to what one machine has.
func archLink(s *subject) {
	s.copiedLinks()
	s.madeLinks()
}

// badLink is a link of the context that leads nowhere on some wanted platforms.
type badLink struct {
	contents.Link
	word    arch.Word
	harmed  []platform.Platform
	another int
}

// copiedLinks finds those that COPY takes out of the context.
func (s *subject) copiedLinks() {
	lines := map[int]*badLink{}
	for _, link := range s.Contents.Links {
		c := s.Contents.Copies[link.Copy]
		word, harmed := s.harmed(link, c)
		if len(harmed) == 0 {
			continue
		}
		if first := lines[c.Line]; first != nil {
			if first.Path != link.Path || first.Inside != link.Inside {
				first.another++
			}
			continue
		}
		lines[c.Line] = &badLink{Link: link, word: word, harmed: harmed}
	}
	for line, l := range lines {
		name, more := l.Path, ""
		if l.Inside != "" {
			name = l.Inside + " in " + l.Path
		}
		if l.another > 0 {
			more = fmt.Sprintf("; %d more links are like it", l.another)
		}
		s.add(Finding{
			ID: "arch-link", Severity: Warning, Line: line, Platforms: l.harmed, Fix: l.mend(),
			Message: fmt.Sprintf("the link %s leads to %s, which is for %s: it leads astray on %s%s", name, l.Target, l.word.Arch, join(l.harmed), more),
		})
	}
}

// harmed are the platforms on which a link does not lead to their own files, and the word
// that says so. A link that is called for a machine itself is chosen by that name.
func (s *subject) harmed(link contents.Link, c contents.Copy) (arch.Word, []platform.Platform) {
	words := arch.Find(link.Target)
	own := arch.Find(link.Path + "/" + link.Inside)
	if len(words) == 0 || slices.ContainsFunc(own, func(w arch.Word) bool { return w.Arch == words[0].Arch }) {
		return arch.Word{}, nil
	}
	w := words[0]
	if w.OS != "" && w.OS != "linux" || link.Leads != "" && !s.foreignBelow(link.Leads, c) {
		return w, nil
	}
	var harmed []platform.Platform
	for _, on := range c.Platforms {
		if on.OS == "linux" && !strings.HasPrefix(arch.Key(on)+"/", w.Arch+"/") && !strings.HasPrefix(w.Arch+"/", arch.Key(on)+"/") {
			harmed = append(harmed, on)
		}
	}
	return w, harmed
}

// foreignBelow tells whether there is a program at a path of the context, or below it, that
// some platform cannot run. A folder that is but called for a machine does no harm.
func (s *subject) foreignBelow(name string, c contents.Copy) bool {
	return slices.ContainsFunc(s.Contents.Programs, func(p contents.Program) bool {
		return (p.Path == name || strings.HasPrefix(p.Path, name+"/")) && slices.ContainsFunc(c.Platforms, p.Foreign)
	})
}

// mend is the link as a RUN makes it, where the machine's name can be asked for.
func (l *badLink) mend() string {
	const leave = "leave the link out of the context, and make it in a RUN"
	target, to := l.Target, l.Image
	if to == "" {
		to = "PATH"
	}
	machine := ""
	switch {
	case strings.HasPrefix(l.word.Text, "x86_64-linux-") || strings.HasPrefix(l.word.Text, "aarch64-linux-"):
		_, rest, _ := strings.Cut(l.word.Text, "-")
		machine = "$(uname -m)-" + rest
	case l.word.Text == "amd64" || l.word.Text == "arm64":
		machine = "${TARGETARCH}"
	default:
		return leave + ", with the machine's own path"
	}
	made := target[:l.word.At] + machine + target[l.word.End:]
	if strings.HasPrefix(machine, "${") {
		return fmt.Sprintf("%s: ARG TARGETARCH and RUN ln -s %s %s", leave, made, to)
	}
	return fmt.Sprintf("%s: RUN ln -s %s %s", leave, made, to)
}
