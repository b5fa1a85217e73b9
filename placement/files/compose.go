package files

import (
	"errors"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/compose"
)

// fromCompose reads a compose file as builds do: its variables, what it includes and extends, what is laid over it.
func fromCompose(name string, o compose.Options) (File, error) {
	running, err := compose.LoadRunning(o, func(label string) bool { return label == placement.HostLabel || label == placement.HostLabelNot })
	if err != nil {
		return File{}, called(name, err)
	}
	at := func(p project.Place) string {
		if p.File == stdinName {
			p.File = name
		}
		return p.String()
	}
	f := File{Name: name, Over: o.Files[1:], For: placement.Swarm, Version: running.Version, Builds: map[string]Build{}, Notes: running.Notes}
	var failed []error
	for _, from := range running.Services {
		s := placement.Service{Name: from.Name, At: at(from.At), Containers: []placement.Container{{Image: from.Image, At: at(from.ImageAt)}}}
		if b := from.Build; b != nil {
			f.Builds[from.Image] = Build{Platforms: b.Platforms, Named: b.Named, At: at(b.At)}
		}
		for _, c := range from.Constraints {
			if _, err := placement.ParseConstraint(c.Text); err != nil {
				failed = append(failed, &Error{File: at(project.Place{File: c.At.File}), Line: c.At.Line, Text: err.Error(), err: err})
				continue
			}
			s.Constraints = append(s.Constraints, placement.Line{Text: c.Text, At: at(c.At)})
		}
		for _, l := range from.Labels {
			key, value, _ := strings.Cut(l.Text, "=")
			if key == placement.HostLabel || key == placement.HostLabelNot { // not the soft ones, which are wishes
				s.HostLabels = append(s.HostLabels, placement.Label{Key: key, Value: value, At: at(l.At)})
			}
		}
		f.Services = append(f.Services, s)
	}
	return f, errors.Join(failed[:min(len(failed), maxMistakes)]...)
}

// stdinName is how compose names standard input.
const stdinName = "-"

// called gives errors the name of the file by which the user knows it.
func called(name string, err error) error {
	list := []error{err}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		list = slices.Clone(joined.Unwrap())
	}
	for i, e := range list {
		if of := new(compose.Error); errors.As(e, &of) && of.File == stdinName {
			renamed := *of
			renamed.File = name
			list[i] = &renamed
		}
	}
	return errors.Join(list...)
}
