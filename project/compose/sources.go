package compose

import (
	"github.com/archbuild/archbuild/project"
	"github.com/distribution/reference"
)

// Source says where an image is built from that the files only name: an entry of services: in
// the archbuild.yaml beside the first file.
type Source struct {
	// Image as the files have it; without a tag or digest it stands for all.
	Image string
	// Context is relative to the project's folder, or what else is one.
	Context, Dockerfile, Target string
	Args                        map[string]string
	At                          project.Place
}

// sourced makes the target of a service that has no build, if one of the sources is of its image.
func (l *files) sourced(s *service) (project.Target, bool) {
	image := s.text("image")
	i := l.source(image)
	if i < 0 {
		return project.Target{}, false
	}
	source := l.Sources[i]
	l.sourcesUsed[i] = true
	r := &reader{files: l, setting: setting{dir: l.dir}}
	t := project.Target{
		Name: s.name, At: s.at, Context: r.local(source.Context), Dockerfile: source.Dockerfile, Stage: source.Target,
		Args: map[string]*string{}, Labels: map[string]*string{}, Tags: []string{image}, Image: image,
		Places: map[string]project.Place{"context": source.At, "dockerfile": source.At, "target": source.At, "image": s.place("image"), "tags " + image: s.place("image")},
	}
	for name, value := range source.Args {
		t.Args[name] = &value
	}
	l.taken(t.Context, source.At, "the context of "+image)
	l.checked(t, s)
	return t, true
}

// source is the index of the one for an image, that with the same tag before one for all; -1 is none.
func (l *files) source(image string) int {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return -1
	}
	best := -1
	for i, source := range l.Sources {
		of, err := reference.ParseNormalizedNamed(source.Image)
		switch {
		case err != nil:
		case of.String() == named.String():
			return i
		case best < 0 && reference.IsNameOnly(of) && of.Name() == named.Name():
			best = i
		}
	}
	return best
}

// unusedSources notes those whose image no service has.
func (l *files) unusedSources() {
	for i, source := range l.Sources {
		if !l.sourcesUsed[i] {
			l.note(source.At, "no service has the image %s", source.Image)
		}
	}
}
