package lint

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// place says for whom the instructions of a stage work.
type place struct {
	// chosen tells that the stage is there for some of the wanted platforms only, because its
	// author says so; unneeded that none of them needs it.
	chosen, unneeded bool
	// ofBuild tells that it runs on the machine that builds, or on another fixed platform,
	// for at least one of the wanted platforms.
	ofBuild bool
	// final tells that the image is made of it.
	final bool
}

// given tells that the user sets an ARG for each platform that its default does not serve.
func (s *subject) given(name string) bool {
	given := 0
	for _, t := range s.Targets {
		if _, ok := t.Args[name]; ok {
			given++
		}
	}
	return given > 0 && given >= len(s.Targets)-1
}

// placeOf a stage.
func (s *subject) placeOf(stage int) place {
	views := s.views()
	var p place
	needed := 0
	for i := range views {
		v := &views[i]
		if v.needed[stage] {
			needed++
			p.ofBuild = p.ofBuild || v.ofBuild[stage] || !v.onTarget(s.Template, stage)
		}
		p.final = p.final || slices.Contains(v.chain, stage)
	}
	p.unneeded = needed == 0
	p.chosen = needed > 0 && needed < len(views)
	if p.unneeded {
		flag := s.Template.Stages[stage].PlatformFlag
		p.ofBuild = flag != "" && !strings.Contains(flag, "TARGET")
		p.chosen = len(arch.Find(s.Template.Stages[stage].Name)) > 0 && s.choosesStages()
	}
	p.chosen = p.chosen || s.hasSister(stage)
	return p
}

// hasSister tells that a stage is named for a machine, and another one as it for another
// machine: base-amd64, base-arm64.
func (s *subject) hasSister(stage int) bool {
	name := s.Template.Stages[stage].Name
	words := arch.Find(name)
	return len(words) == 1 && slices.ContainsFunc(s.Template.Stages, func(other template.Stage) bool {
		theirs := arch.Find(other.Name)
		return len(theirs) == 1 && machineFamily(theirs[0].Arch) != machineFamily(words[0].Arch) && skeleton(other.Name, theirs[0]) == skeleton(name, words[0])
	})
}

// choosesStages tells that a FROM names another stage on each platform.
func (s *subject) choosesStages() bool {
	return slices.ContainsFunc(s.Template.References, func(r template.Reference) bool {
		return strings.Contains(r.Text, "$") && (strings.Contains(r.Text, "ARCH") || strings.Contains(r.Text, "PLATFORM") || strings.Contains(strings.ToLower(r.Text), "arch"))
	})
}

// harms gives the wanted platforms that a file for an architecture does not serve.
func (s *subject) harms(architecture string) []platform.Platform {
	var list []platform.Platform
	for _, p := range s.platforms() {
		if !serves(architecture, p) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// serves tells whether programs of an architecture run on a platform.
func serves(architecture string, p platform.Platform) bool {
	name, variant, _ := strings.Cut(architecture, "/")
	own := platform.Platform{OS: "linux", Arch: name, Variant: variant}
	return own.Serves(p) || name == "386" && p.Arch == "amd64" || own.Arch == p.Arch && own.Arch != "arm"
}

// machineFamily of an architecture: a PC's are one, and Arm's are two.
func machineFamily(architecture string) string {
	if architecture == "386" {
		return "amd64"
	}
	name, _, _ := strings.Cut(architecture, "/")
	return name
}
