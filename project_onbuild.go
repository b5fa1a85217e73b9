package archbuild

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/template"
)

// ONBUILD instructions of a service's Dockerfile are a part of the builds that start from its image: what they ask for
// is asked for there. An image of a registry tells its instructions when it is resolved; one that is still to be built
// is asked through its Dockerfile.

// onbuild are the ONBUILD instructions that the image of a service will have.
func (r run) onbuild(s service, p platform.Platform) []string {
	target, err := r.targetFor(s, p)
	if err != nil {
		return nil // which whoever builds it says
	}
	t := s.of(p).template
	if i, ok := t.Stage(target.Stage); ok && target.Stage != "" {
		return t.Onbuild(i)
	}
	return t.Onbuild(len(t.Stages) - 1)
}

// fires lists what the build of a service asks for when instructions of an image fire in it: images, and what the
// stages ask for that they name.
func (r run) fires(s service, p, build platform.Platform, from project.Taken, instructions []string) ([]project.Taken, error) {
	var list []project.Taken
	var also []int
	contexts, keys := r.targetContexts(), r.contextKeys()
	for _, t := range s.of(p).template.Triggers(instructions) {
		switch t.Kind {
		case template.StageKind:
			also = append(also, t.Target)
		case template.External:
			taken := project.Taken{Name: t.Text, On: p, Where: t.Where, Stage: from.Stage, At: from.At}
			if taken, asked := inContexts(taken, contexts, keys); asked {
				list = append(list, taken)
			}
		}
	}
	if len(also) == 0 {
		return list, nil
	}
	more, err := r.takes(s, p, build, also...)
	return append(list, more...), err
}

// inherit has every service know the ONBUILD instructions of the services that it starts from.
func (r run) inherit(services []service) {
	for i := range services {
		for j := range services[i].stands {
			if st := &services[i].stands[j]; strings.HasPrefix(st.edge.Where, "FROM") {
				base := services[st.base]
				st.onbuild = r.with(base).onbuild(base, st.at)
			}
		}
	}
}

// standOnbuild are the ONBUILD instructions of the images of others, by the context that hands them over.
func (s service) standOnbuild() map[string][]string {
	known := map[string][]string{}
	for _, st := range s.stands {
		if len(st.onbuild) > 0 {
			known[st.key()] = slices.Clone(st.onbuild)
		}
	}
	return known
}
