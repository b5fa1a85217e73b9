package lint

import (
	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Facts are what is known of a Dockerfile and its surroundings.
type Facts struct {
	// Template is the Dockerfile; its File is what findings call it.
	Template *template.Template
	// Targets are the platforms wanted, each with its build arguments and target stage.
	Targets []plan.Target
	// Build is the platform of the machine that builds.
	Build platform.Platform
	// Native are the platforms that it, or another node of the user's, runs without an emulator.
	Native []platform.Platform
	// Slower is how many times longer a platform took than Build when both were built last.
	Slower map[platform.Platform]float64
	// Crossed tells which stages archbuild moves to the build platform, and why others stay.
	// Nil decides by the Dockerfile alone.
	Crossed func(plan.Target) []cross.Decision
	// Bases are the answers to what plan asks; offline those that rules give.
	Bases []Base
	// Contents are what Copies take out of the context; nothing where that is not known.
	Contents contents.Found
	// Allowed tells whether archbuild.yaml lets a program stand in the image at some path,
	// whatever machine it is for. Nil lets none.
	Allowed func(path string) bool
	// Read gives a file of the context that .dockerignore lets in; nil where there is none.
	Read func(name string) ([]byte, bool)
	// Configured are the platforms that archbuild.yaml asks for.
	Configured []Configured
}

// platforms that are wanted.
func (f Facts) platforms() []platform.Platform {
	list := make([]platform.Platform, 0, len(f.Targets))
	for _, t := range f.Targets {
		list = append(list, t.Platform)
	}
	return list
}

// subject is a Dockerfile while it is looked at.
type subject struct {
	Facts
	found []Finding
	// seen are the views, once they were asked for.
	seen *[]view
	// mentions are the places that name an architecture, once they were asked for.
	mentions *[]mention
	// own are names of files that the author's own output gets.
	own map[string]bool
	// instructions of the stages, once they were asked for.
	instructions map[int][]template.Step
	// read is the file as package script has it, made what its stages make.
	read *script.File
	made map[int]*making
	// decided are archbuild's decisions about stages, once they were asked for.
	decided map[platform.Platform][]cross.Decision
}

// add notes a finding in the Dockerfile.
func (s *subject) add(f Finding) {
	if f.File == "" {
		f.File = s.Template.File
	}
	s.found = append(s.found, f)
}
