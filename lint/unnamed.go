package lint

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// unnamedDownloads reports files that are for one machine, though their names say none.
func (s *subject) unnamedDownloads() {
	for i, stage := range s.walked().Stages {
		place := s.placeOf(i)
		if place.chosen || stage.Windows {
			continue
		}
		for _, in := range stage.Instructions {
			if in.Name == "ADD" {
				for _, w := range in.Words {
					s.unnamed(w, place)
				}
			}
			for _, c := range in.Script.Commands {
				if c.Chosen || c.Again || c.Name == "echo" || c.Name == "printf" {
					continue
				}
				for _, w := range c.Args {
					s.unnamed(w, place)
				}
			}
		}
	}
}

// unnamed looks at one word.
func (s *subject) unnamed(w script.Word, p place) {
	u, ok := arch.FindUnnamed(w.Text)
	if !ok || len(arch.Find(w.Text[u.At:u.End])) > 0 || w.Varying {
		return
	}
	harmed := s.harms(u.Arch)
	if len(harmed) == 0 {
		return
	}
	name := u.End
	for name > u.At && w.Text[name-1] != '/' {
		name--
	}
	at, ok := w.Origin(name, u.End)
	if !ok {
		return
	}
	f := Finding{ID: "download-unnamed-arch", Severity: Error, Line: s.lineOf(at), Platforms: harmed}
	if p.unneeded {
		f.Severity = Info
	}
	if start, end, ok := w.Place(name, u.End); ok {
		f.Spans = []template.Span{{Start: start, End: end}}
	}
	file := strings.Trim(w.Text[name:u.End], " \"'?#;|&)\n")
	if !strings.HasPrefix(file, u.Project.Name) {
		file = u.Project.Name + "'s " + file
	}
	f.Message = fmt.Sprintf("%s is for %s, though its name says no architecture: it does not run on %s", file, u.Arch, join(harmed))
	f.Fix = fmt.Sprintf("choose by ${TARGETARCH}; for arm64 there is %s", u.Other)
	if u.Other == "" {
		f.Fix = "there is no file for other platforms: install it by another way, or leave those platforms out"
	}
	s.add(f)
}
