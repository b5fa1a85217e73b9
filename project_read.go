package archbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// readProject reads every target of a project that may have to be built. What is wrong with
// one that nobody asked for counts only if another one needs it.
func (r run) readProject(ctx context.Context, host detect.HostFacts) ([]service, error) {
	var services []service
	var failed []error
	for _, t := range r.found.Targets {
		wanted := r.found.wants(t.Name)
		if !wanted && r.NoDeps {
			continue
		}
		s, err := r.readTarget(ctx, t, host)
		if err != nil && !wanted {
			s, err = service{name: t.Name, broken: err}, nil
		}
		if err == nil {
			if r.found.origin == nil {
				s.notes = append(s.notes, r.reachNotes(t)...)
			}
			services = append(services, s)
		}
		failed = append(failed, err)
	}
	if err := joinedOnce(failed); err != nil {
		closeAll(services)
		r.remind(r.found.Notes) // A variable that is not set may be why a folder is not found.
		return nil, err
	}
	return services, nil
}

// readTarget reads one target with the options that it has.
func (r run) readTarget(ctx context.Context, t project.Target, host detect.HostFacts) (service, error) {
	if t.Name == "." || t.Name == ".." || filepath.Base(t.Name) != t.Name || strings.ContainsFunc(t.Name, unicode.IsControl) {
		return service{}, inTarget(t, "", &wrong.File{fmt.Errorf("%q is no name for a folder of results", t.Name), "give it another name"})
	}
	if t.Broken != nil {
		return service{}, t.Broken
	}
	own, err := r.forTarget(t)
	if err != nil {
		return service{}, err
	}
	s, err := own.readService(ctx, own.Paths[0], host)
	if err == nil {
		if err = own.namedContexts.checkIgnored(); err != nil {
			s.context.close()
		}
	}
	if err != nil {
		return s, ofTarget(t, err)
	}
	s.name, s.path, s.self = t.Name, own.Paths[0], &own
	return s, nil
}

// noContextHint says from where the path of a context starts: a bake file's from the working directory, as bake has it.
func noContextHint(t project.Target) string {
	if dir, name := filepath.Split(t.At.File); t.Image == "" && dir != "" && isFolder(filepath.Join(dir, t.Context)) {
		return "paths in a bake file start from the working directory: cd " + filepath.Clean(dir) + " and give -f " + name + ", or set BUILDX_BAKE_FILE_RELATIVE_PATHS=1"
	}
	if t.Image == "" {
		return "context is the folder of a Dockerfile, relative to the working directory"
	}
	return "context: is the folder of a Dockerfile, relative to the file that says it"
}

// ofTarget tells of what was not found where the file says so: that is said there, and not on the command line.
func ofTarget(t project.Target, err error) error {
	var each []error
	for _, e := range leaves(err) {
		missing, stage, folder := new(NoStageError), "", new(NoFolderError)
		switch {
		case errors.As(e, new(*NoDockerfileError)):
			e = inTarget(t, "dockerfile", &wrong.File{errors.New(e.Error()), "name it there: a Dockerfile is relative to the context, and called Dockerfile where nothing else is said"})
		case errors.As(e, &folder):
			folder.inFile = true
			e = inTarget(t, "context", &wrong.File{errors.New(e.Error()), noContextHint(t)})
		case errors.As(e, new(*wrong.Usage)):
			e = inTarget(t, "", e)
		case errors.As(e, &missing):
			if stage = missing.From; stage == "--target" {
				missing.From = t.Place("target").String()
			}
		}
		each = append(each, e)
	}
	return errors.Join(each...)
}

// readInline reads a Dockerfile that stands in the project's file itself.
func (r run) readInline(c buildContext, folder string, host platform.Platform) (service, error) {
	s := service{name: c.name, context: c, notes: c.notes, beside: c.files(), source: source{file: filepath.Join(folder, stdinName)}}
	var err error
	name := fmt.Sprintf("%s (%s)", r.of.Place("dockerfile").File, r.of.Name)
	if s.template, err = template.ParseLimited(name, []byte(r.inline), r.limits()); err != nil {
		return s, err
	}
	s.template.Name = "Dockerfile"
	if s.config, err = readConfig(s.beside, filepath.Join(folder, "archbuild.yaml")); err != nil {
		return s, err
	}
	platforms, from, err := r.choosePlatforms(s.config.Platforms, host)
	if err != nil {
		return s, err
	}
	s.platformsFrom = from
	return s, r.target(&s, platforms)
}

// connected is the graph of some services, those among them that are built, bases first, and
// the images of others that each stands on.
type connected struct {
	services []service
	graph    project.Graph
}

// unpushed has a note for each service that --push is about and that has no name in a registry. Where
// that is each of them, --push is a mistake.
func unpushed(services []service) (notes []string, err error) {
	pushed := false
	for _, s := range services {
		switch {
		case s.self == nil || s.self.aside:
		case s.self.unpushed:
			notes = append(notes, s.name+" is not pushed, for it has no name in a registry: give it an image: in its file, or all a -t with {name}")
		default:
			pushed = pushed || s.self.Push
		}
	}
	if len(notes) > 0 && !pushed {
		return nil, &wrong.Usage{errors.New("--push needs a tag"), "name the images: -t REGISTRY/{name}:TAG, or image: in the file"}
	}
	return notes, nil
}

// connect finds out which service stands on which. on is the platform of the node that
// builds a platform. Services that nobody needs are closed.
func (r run) connect(services []service, on func(platform.Platform) platform.Platform) (connected, error) {
	if len(services) < 2 && r.found == nil && len(r.Links) == 0 {
		return connected{services: services}, nil
	}
	links, err := r.links()
	if err != nil {
		return connected{}, err
	}
	if err := r.checkSame(services); err != nil {
		return connected{}, err
	}
	var list []project.Service
	for _, s := range services {
		list = append(list, r.inGraph(s, on))
	}
	graph, err := project.Connect(list, links)
	if err != nil {
		return connected{}, err
	}
	if r.found != nil {
		graph.Notes = slices.Concat(r.found.Notes, graph.Notes)
	}
	if r.NoDeps && r.found != nil && len(r.found.names) < len(r.found.Targets) {
		graph.Notes = append(graph.Notes, "--no-deps: what these stand on is not built, and has to be in its registry: push it before, or leave --no-deps out")
	}
	without, err := unpushed(services)
	if err != nil {
		return connected{}, err
	}
	graph.Notes = append(graph.Notes, without...)
	made := connected{graph: graph}
	place := map[string]int{}
	for i, node := range graph.Nodes {
		s := services[slices.IndexFunc(services, func(s service) bool { return s.name == node.Name })]
		if err := r.with(s).widen(&s, node); err != nil {
			return connected{}, err
		}
		place[node.Name] = i
		made.services = append(made.services, s)
	}
	for _, edge := range graph.Edges {
		user := &made.services[place[edge.User]]
		user.stands = append(user.stands, stand{on: edge.For, at: edge.On, base: place[edge.Base], name: contextForm(edge.Name), edge: edge})
	}
	r.inherit(made.services)
	for _, edge := range graph.Waiting {
		user := &made.services[place[edge.User]]
		user.waiting = append(user.waiting, contextForm(edge.Name))
	}
	for _, s := range services {
		if _, built := place[s.name]; !built {
			s.context.end()
		}
	}
	return made, nil
}

// shown is the graph as the outcome has it: nil where images have nothing to do with each other and no file lists them.
func (c connected) shown() *project.Graph {
	if len(c.graph.Nodes) == 0 || len(c.graph.Edges) == 0 && c.services[0].self == nil {
		return nil
	}
	return &c.graph
}

// drawn is the graph in any case: services that have nothing to do with each other are one, too.
func (c connected) drawn() *project.Graph {
	g := c.graph
	if len(g.Nodes) == 0 {
		for _, s := range c.services {
			n := project.Node{Name: s.name}
			for _, target := range s.targets {
				n.Platforms = append(n.Platforms, target.Platform)
			}
			g.Nodes = append(g.Nodes, n)
		}
	}
	return &g
}

// widen has a service be built for the platforms that the graph found: those that others need of it are among them, and one
// that stands aside is built for no other.
func (r run) widen(s *service, node project.Node) error {
	if slices.EqualFunc(s.targets, node.Platforms, func(t plan.Target, p platform.Platform) bool { return t.Platform == p }) {
		return nil
	}
	own := *s
	own.targets = nil
	if err := r.target(&own, node.Platforms); err != nil {
		return err
	}
	if len(node.Added) > 0 {
		own.platformsFrom += ", and for those that stand on it"
	}
	*s = own
	return nil
}

// inGraph is a service as package project sees it.
func (r run) inGraph(s service, on func(platform.Platform) platform.Platform) project.Service {
	r = r.with(s)
	in := project.Service{Name: s.name}
	if s.broken != nil {
		in.Aside, in.Takes = true, func(platform.Platform) ([]project.Taken, error) { return nil, s.broken }
	}
	for _, target := range s.targets {
		in.Platforms = append(in.Platforms, target.Platform)
	}
	of := r.of
	if s.broken != nil {
		i := slices.IndexFunc(r.found.Targets, func(t project.Target) bool { return t.Name == s.name })
		of = &r.found.Targets[i]
	}
	if of != nil {
		in.At, in.Needs, in.Aside = of.At, of.Needs, !r.found.wants(s.name)
		in.Listed, in.ListedAt = r.platformsFrom != "", of.Place("platforms")
		in.Made = madeOf(*of)
		if r.NoDeps {
			in.Needs = slices.DeleteFunc(slices.Clone(of.Needs), func(n project.Need) bool { return !r.found.wants(n.Name) })
		}
	}
	if s.broken != nil {
		return in
	}
	for _, tag := range r.tagsOf(s) {
		in.Made = append(in.Made, project.Made{Name: tag, From: "-t"})
	}
	in.Takes = func(p platform.Platform) ([]project.Taken, error) { return r.takes(s, p, on(p)) }
	in.Onbuild = func(p platform.Platform) []string { return r.onbuild(s, p) }
	in.Fires = func(p platform.Platform, from project.Taken, instructions []string) ([]project.Taken, error) {
		return r.fires(s, p, on(p), from, instructions)
	}
	return in
}

// madeOf are the names that a project's file gives to the image of a target.
func madeOf(t project.Target) []project.Made {
	var list []project.Made
	add := func(name, from, key string) {
		if name != "" && !slices.ContainsFunc(list, func(m project.Made) bool { return m.Name == name }) {
			list = append(list, project.Made{Name: name, From: from, At: t.Place(key)})
		}
	}
	image := "name"
	if slices.Contains(t.Tags, t.Image) {
		image = "image"
	}
	if image == "image" {
		add(t.Image, image, "image")
	}
	for _, tag := range t.Tags {
		key := "tags"
		if _, known := t.Places["tags "+tag]; known {
			key = "tags " + tag
		}
		add(tag, "tags", key)
	}
	add(t.Image, image, "image")
	return list
}
