package lint

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/platform"
)

// archAsked reports commands that ask for the machine's architecture.
func (s *subject) archAsked() {
	for i, stage := range s.walked().Stages {
		if stage.Windows {
			continue
		}
		place := s.placeOf(i)
		for _, in := range stage.Instructions {
			for _, c := range in.Script.Commands {
				if what := script.Asks(c); what != "" && c.Line > 0 {
					s.asked(c.Line, what, place)
				}
			}
			for _, g := range in.Script.Guards {
				if !place.chosen {
					s.guarded(g, place)
				}
			}
		}
	}
}

// asked adds one finding.
func (s *subject) asked(line int, what string, p place) {
	f := Finding{ID: "arch-asked", Severity: Info, Line: line, Fix: "declare ARG TARGETARCH in the stage and use ${TARGETARCH}"}
	f.Message = fmt.Sprintf("%s asks the machine that the step runs on; TARGETARCH says the same, and stays right when the stage moves to the build platform", what)
	if p.ofBuild {
		f.Severity = Warning
		f.Message = fmt.Sprintf("%s asks the machine that builds, whatever platform the image is for: on %s the answer is wrong", what, join(s.others()))
	}
	s.add(f)
}

// guarded adds the finding of a comparison that ends the build on some platforms.
func (s *subject) guarded(g script.Guard, p place) {
	word := arch.Find(g.Machine.Text)[0]
	var ended []platform.Platform
	for _, wanted := range s.platforms() {
		if serves(word.Arch, wanted) == g.Equal {
			ended = append(ended, wanted)
		}
	}
	if len(ended) == 0 || g.Line == 0 {
		return
	}
	f := Finding{ID: "arch-asked", Severity: Error, Line: g.Line, Platforms: ended,
		Message: fmt.Sprintf("the comparison with %s ends the build on %s", word.Text, join(ended)),
		Fix:     "let it go on there, and choose what differs by ARG TARGETARCH; or leave " + join(ended) + " out of the platforms"}
	if p.ofBuild {
		f.Severity = Warning
		f.Message = fmt.Sprintf("the comparison with %s ends the build where the machine that builds is %s", word.Text, join(ended))
		f.Fix = "let it go on there, and choose what differs by ARG BUILDARCH"
	}
	if p.unneeded {
		f.Severity = Info
	}
	s.add(f)
}

// others are the wanted platforms that are not the machine's own.
func (s *subject) others() []platform.Platform {
	var list []platform.Platform
	for _, p := range s.platforms() {
		if !s.Build.Serves(p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return s.platforms()
	}
	return list
}

// isChecksum tells that a text is a digest in hex, of md5 to sha512.
func isChecksum(text string) bool {
	switch len(text) {
	case 32, 40, 56, 64, 96, 128:
	default:
		return false
	}
	return strings.Trim(text, "0123456789abcdefABCDEF") == ""
}
