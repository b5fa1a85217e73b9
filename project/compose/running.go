package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/project"
)

// Running is what files say of the services that run.
type Running struct {
	// Version is the version key as the first file that has one writes it; empty is none.
	Version string
	// Services in the order of the files, those too that profiles leave out.
	Services []Service
	// Notes name services that run no image.
	Notes []string
}

// Service is one that runs: its image, and what is written by hand on where it runs.
type Service struct {
	Name string
	At   project.Place
	// Image is its image:, else PROJECT-SERVICE, as compose calls what it builds.
	Image   string
	ImageAt project.Place
	// Build is nil for an image that is made elsewhere.
	Build *Build
	// Constraints are those of deploy.placement, Labels the service's own, as KEY=VALUE.
	Constraints, Labels []Text
}

// Build says how far the files tell of an image that it is built.
type Build struct {
	// Named says that the image has a name, so that a registry can be asked for it.
	Named bool
	// Platforms as build.platforms lists them; none is that it does not.
	Platforms []string
	// At is where build: stands, or the Source.
	At project.Place
}

// Text is a word of a file, and where it stands.
type Text struct {
	Text string
	At   project.Place
}

// LoadRunning reads the services that run, merged as Load merges them. A file of compose's first version, which has its
// services at the top, is read as well. A variable without a value is an error where an image, a constraint or a label that
// matters asks for it: the name would be that of another image. matters tells of the key of a label whether it does.
func LoadRunning(o Options, matters func(label string) bool) (Running, error) {
	o.Named = true
	l, closeRoot, err := o.open()
	if err != nil {
		return Running{}, err
	}
	defer closeRoot()
	l.running = true
	name, _, m, err := l.merged()
	if err != nil {
		return Running{}, err
	}
	made := Running{Version: l.version()}
	for _, service := range m.order {
		s := m.services[service]
		if _, provided := s.places["provider"]; provided && !s.has("image") {
			made.Notes = append(made.Notes, fmt.Sprintf("%s: service %s is not run from an image, but by a provider", s.at, s.name))
			continue
		}
		made.Services = append(made.Services, l.runs(name, s, matters))
	}
	return made, l.mistakes()
}

// runs is one service, its mistakes told.
func (l *files) runs(projectName string, s *service, matters func(string) bool) Service {
	made := Service{Name: s.name, At: s.at, Image: s.text("image"), ImageAt: s.place("image")}
	build, built := s.values["build"].(map[string]any)
	if _, place := s.required["build.context"]; built || place {
		made.Build = &Build{Named: made.Image != "", At: s.place("build")}
		bake, _ := build["x-bake"].(map[string]any)
		made.Build.Platforms = join(texts(build["platforms"]), bake["platforms"])
	} else if i := l.source(made.Image); i >= 0 {
		made.Build = &Build{Named: true, At: l.Sources[i].At}
	}
	deploy, _ := s.values["deploy"].(map[string]any)
	placement, _ := deploy["placement"].(map[string]any)
	for _, text := range texts(placement["constraints"]) {
		made.Constraints = append(made.Constraints, Text{text, s.place("deploy.placement.constraints[" + text + "]")})
	}
	made.Labels = s.labels()
	l.filled(s, matters)
	_, required := s.required["image"]
	switch _, unset := s.unset["image"]; {
	case made.Image != "" || required || unset:
	case made.Build == nil:
		l.fail(s.at, "give it an image: NAME", "service %s has neither image nor build", s.name)
	default:
		made.Image, made.ImageAt = projectName+"-"+s.name, s.at
	}
	return made
}

// labels are those of a service; of two with one key the later one counts.
func (s *service) labels() []Text {
	var list []Text
	add := func(key, value string) {
		one := Text{key + "=" + value, s.place("labels." + key)}
		for i, before := range list {
			if strings.HasPrefix(before.Text, key+"=") {
				list[i] = one
				return
			}
		}
		list = append(list, one)
	}
	switch labels := s.values["labels"].(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			add(key, one(labels[key]))
		}
	case []any:
		for _, text := range texts(labels) {
			key, value, _ := strings.Cut(text, "=")
			add(key, value)
		}
	}
	return list
}

// filled fails for variables without a value in what is asked of a service that runs.
func (l *files) filled(s *service, matters func(string) bool) {
	counts := func(path string) bool {
		if label, is := strings.CutPrefix(path, "labels."); is {
			return matters(label)
		}
		for _, key := range []string{"image", "deploy", "extends", "build.platforms", "build.x-bake.platforms"} {
			if path == key || strings.HasPrefix(path, key+".") || strings.HasPrefix(path, key+"[") {
				return true
			}
		}
		return false
	}
	for _, path := range slices.Sorted(maps.Keys(s.required)) {
		if counts(path) {
			l.add(s.required[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(s.unset)) {
		if variable := s.unset[path]; counts(path) {
			l.fail(s.place(path), l.setVariable(variable), "%s of service %s: the variable %s is not set", path, s.name, variable)
		}
	}
}

// version is what the first file that has one says.
func (l *files) version() string {
	for _, file := range l.Files {
		docs, err := l.read(file, project.Place{})
		if err != nil {
			return "" // that was told
		}
		for _, doc := range docs {
			if version := doc.top("version", nil); version != "" {
				return version
			}
		}
	}
	return ""
}

// first tells a compose file of the first version: its services stand at the top.
func (r *reader) first() bool {
	list := r.pairs(r.tree.root)
	for _, service := range list {
		if service.key == "services" || service.key == "include" {
			return false
		}
		image := false
		for _, p := range r.pairs(service.value) {
			image = image || p.key == "image" || p.key == "build"
		}
		if !image {
			return false
		}
	}
	return len(list) > 0
}
