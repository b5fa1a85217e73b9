package archbuild

import (
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// takes lists the images that a service asks for on one platform, where a node of the
// platform build builds it. An image that the user gives by --build-context, or the file by
// a context that is no other target, is no question.
//
// Also are stages that the build needs besides, by their index.
func (r run) takes(s service, p, build platform.Platform, also ...int) ([]project.Taken, error) {
	target, err := r.targetFor(s, p)
	if err != nil {
		return nil, err
	}
	t := s.of(p).template
	uses, err := t.Uses(template.Env{Target: p, Build: build, Args: target.Args, TargetStage: target.Stage, Also: also, Overruled: r.overruled(s)})
	if err != nil {
		return nil, err
	}
	contexts, keys := r.targetContexts(), r.contextKeys()
	var list []project.Taken
	used := map[string]bool{}
	for _, use := range uses {
		if use.Kind != template.External || use.Problem != nil || !use.Needed || use.Skip {
			continue
		}
		ref := t.References[use.Reference]
		taken := project.Taken{
			Name: use.Image, On: use.Platform, Where: ref.Where, Stage: stageLabel(t.Stages[ref.Stage], ref.Stage),
			At: project.Place{File: t.File, Line: ref.Line}, Waits: use.Waits,
		}
		if taken, asked := inContexts(taken, contexts, keys); asked {
			used[contextForm(taken.Name)] = taken.Target != ""
			list = append(list, taken)
		}
	}
	for _, c := range contexts { // BuildKit takes it for a stage, or the Dockerfile does not ask for it by now.
		if form := contextForm(c.Name); !used[form] {
			list = append(list, project.Taken{Name: c.Name, On: p, Where: "contexts", At: c.At, Target: targetOf(c.Value), TargetAt: c.At})
		}
	}
	return list, nil
}

// inContexts fills in what a named context of the file says of an image; with a context of the command line's, in keys,
// it is not asked for at all.
func inContexts(taken project.Taken, contexts []project.NamedContext, keys []string) (filled project.Taken, asked bool) {
	form := contextForm(taken.Name)
	i := slices.IndexFunc(contexts, func(c project.NamedContext) bool { return contextForm(c.Name) == form })
	if i >= 0 && form != "" {
		taken.Target, taken.TargetAt = targetOf(contexts[i].Value), contexts[i].At
		return taken, true
	}
	_, given := plan.ContextOn(keys, taken.Name, taken.On)
	return taken, !given
}

// targetFor is what a platform is built with, also one that nobody asked for.
func (r run) targetFor(s service, p platform.Platform) (plan.Target, error) {
	for _, target := range s.targets {
		if target.Platform == p {
			return target, nil
		}
	}
	s.targets = nil
	if err := r.target(&s, []platform.Platform{p}); err != nil {
		return plan.Target{}, err
	}
	return s.targets[0], nil
}

// targetContexts are the named contexts of a service that are other targets, but for those
// that --build-context says something else of.
func (r run) targetContexts() []project.NamedContext {
	if r.of == nil {
		return nil
	}
	given := plan.ContextNames(r.contextKeys())
	var list []project.NamedContext
	for _, c := range r.of.Contexts {
		if targetOf(c.Value) != "" && !slices.Contains(given, contextForm(c.Name)) {
			list = append(list, c)
		}
	}
	return list
}

// notBuilt are the contexts of a target that are targets which --no-deps leaves out: their images come from where
// they were pushed to.
func (o Options) notBuilt(t project.Target) (contexts []string, err error) {
	if !o.NoDeps || o.found == nil {
		return nil, nil
	}
	var failed []error
	for _, c := range t.Contexts {
		name := targetOf(c.Value)
		if name == "" || o.found.wants(name) {
			continue
		}
		i := slices.IndexFunc(o.found.Targets, func(t project.Target) bool { return t.Name == name })
		switch {
		case i < 0: // which Connect says
		case len(o.found.Targets[i].Tags) == 0:
			failed = append(failed, &TargetError{t.Name, c.At, &wrong.File{
				fmt.Errorf("its context %s is the target %s, which --no-deps leaves out, and which has no tag to be found by", c.Name, name),
				"leave --no-deps out, or name " + name + " too",
			}})
		default:
			contexts = append(contexts, c.Name+"="+imageScheme+o.found.Targets[i].Tags[0])
		}
	}
	return contexts, errors.Join(failed...)
}

// contextForm is the one form of a context's name, and "" of what is none.
func contextForm(name string) string {
	form, err := plan.ContextKey(name)
	if err != nil {
		return ""
	}
	return form
}

// key is the context that hands the image over; empty where only the order counts.
func (st stand) key() string {
	if st.name == "" {
		return ""
	}
	return st.name + "::" + st.at.String()
}

// builtHere are the images of other services that a job takes, each once.
func (s service) builtHere(p platform.Platform) []plan.Stand {
	var list []plan.Stand
	for _, st := range s.stands {
		if st.on != p || st.edge.Name == "" {
			continue
		}
		one := plan.Stand{Name: st.edge.Name, Platform: st.at, Service: st.edge.Base, Where: st.edge.Where, Line: st.edge.At.Line}
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}
