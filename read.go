package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// service is one PATH as it was found: a template, what archbuild.yaml beside
// it says, and what is to be built of it.
type service struct {
	name string
	// path is what the user gave, or what the project's file says.
	path string
	// context stays open as long as the service is in use.
	context buildContext
	// beside is where the template was read, with what belongs to it.
	beside files
	// source is the template; of a folder without one, some platform's own file.
	source
	// own are the files of platforms that are not built from the template.
	own           map[platform.Platform]source
	config        config.File
	targets       []plan.Target
	platformsFrom string
	// notes for the plan.
	notes []string
	// self is the run with the options of this service alone, where a project's file gives it some; else nil. See run.with.
	self *run
	// stands are the images of other services that it is built on.
	stands []stand
	// waiting are the images of other services that its ONBUILD instructions ask for in other builds, in the form of
	// plan.ContextKey: its own has no question about them.
	waiting []string
	// broken is why it could not be read, where that need not matter.
	broken error
}

// stand says that a service is built on the image of another one.
type stand struct {
	// on is the platform that is built, at that of the image that it needs.
	on, at platform.Platform
	// base is the other service, by its place in the list.
	base int
	// name is what the Dockerfile calls the image, in the form of plan.ContextKey without a platform; empty where only
	// the order counts.
	name string
	edge project.Edge
	// onbuild are the ONBUILD instructions of the image, where a stage starts from it.
	onbuild []string
}

// with is the run for one service: the options are the service's own, and all that one run has but once is shared. A run
// that is one service's already stays what it is, whatever was changed of it since.
func (r run) with(s service) run {
	if s.self == nil || r.single {
		return r
	}
	own := *s.self
	own.store, own.registry, own.mirrors, own.resuming, own.silent = r.store, r.registry, r.mirrors, r.resuming, r.silent
	own.engines, own.agreed, own.began, own.emulated, own.cacheTags, own.besides = r.engines, r.agreed, r.began, r.emulated, r.cacheTags, r.besides
	own.single = true
	return own
}

// hasFolder says whether there is a folder of the template's own, to write to.
func (s service) hasFolder() bool { return s.beside.tree == nil && !fromStdin(s.file) }

// begin reads the options, this machine and every PATH: where each verb starts
// that looks at Dockerfiles and builds nothing.
func (o Options) begin(ctx context.Context) (run, detect.HostFacts, []service, error) {
	o, err := o.input(ctx)
	if err != nil {
		return run{}, detect.HostFacts{}, nil, err
	}
	defer o.leave()
	r, err := o.check()
	if err != nil {
		return r, detect.HostFacts{}, nil, err
	}
	host, err := o.host(ctx)
	if err != nil {
		return r, host, nil, err
	}
	services, err := r.read(ctx, host)
	if err != nil {
		return r, host, nil, err
	}
	at, err := o.rewritePlace(host.Platform)
	var made connected
	if err == nil {
		made, err = r.connect(services, func(platform.Platform) platform.Platform { return at.platform })
	}
	if err != nil {
		closeAll(services)
	}
	return r, host, made.services, err
}

// read finds and reads every PATH. All that is wrong with any of them is reported.
func (r run) read(ctx context.Context, host detect.HostFacts) ([]service, error) {
	if r.found != nil {
		return r.readProject(ctx, host)
	}
	if len(r.Paths) == 0 {
		return nil, &wrong.Usage{errors.New("no folder to build was given"), "archbuild PATH, where PATH is the folder of a Dockerfile, or a Git repository"}
	}
	if err := r.checkStdin(); err != nil {
		return nil, err
	}
	var services []service
	var failed []error
	for _, path := range r.Paths {
		s, err := r.readService(ctx, path, host)
		s.path = path
		failed = append(failed, err)
		if err == nil {
			services = append(services, s)
		}
	}
	failed = append(failed, r.namedContexts.checkIgnored())
	err := joinedOnce(failed)
	if err == nil {
		err = r.checkForeign(services)
	}
	if err != nil {
		closeAll(services)
		return nil, err
	}
	return services, nil
}

// checkForeign looks whether there are the stages of --allow-foreign-stage.
func (r run) checkForeign(services []service) error {
	var failed []error
	for _, name := range r.AllowForeign {
		found := false
		for _, s := range services {
			for _, target := range s.targets {
				_, ok := s.of(target.Platform).template.Stage(name)
				found = found || ok
			}
		}
		if !found {
			t := services[0].template
			failed = append(failed, &NoStageError{From: "--allow-foreign-stage", File: t.File, Stage: name, Stages: stageNames(t)})
		}
	}
	return errors.Join(failed...)
}

// readService opens what a PATH means and reads it. The context stays open.
func (r run) readService(ctx context.Context, path string, host detect.HostFacts) (service, error) {
	c, err := r.openPath(ctx, path, host)
	if err != nil {
		return service{}, err
	}
	var s service
	switch {
	case r.inline != "":
		folder := path
		if c.tree != nil {
			folder = c.folder()
		}
		s, err = r.readInline(c, folder, host.Platform)
	case c.alone != nil:
		r.Stdin = c.alone
		s, err = r.readStdin(c, files{}, ".", host.Platform)
	case r.File == stdinName && c.tree != nil:
		s, err = r.readStdin(c, c.files(), ".", host.Platform)
	case r.File == stdinName:
		s, err = r.readStdin(c, c.files(), path, host.Platform)
	default:
		s, err = r.readContext(c, path, host.Platform)
	}
	if err == nil {
		err = s.checkIgnored(path)
	}
	if err != nil {
		c.close()
	}
	return s, err
}

// checkIgnored refuses an ignore file that cannot be understood, before anything of the context is sent. It is not
// read where all Dockerfiles have their own.
func (s service) checkIgnored(path string) error {
	if !slices.ContainsFunc(s.targets, func(t plan.Target) bool { return s.of(t.Platform).ignore == nil }) {
		return nil
	}
	if _, err := s.context.ignored(); err != nil {
		return &wrong.Read{What: "the context " + builder.Remote{Address: path}.Shown(), Err: err}
	}
	return nil
}

// readContext reads the template of a context and what lies beside it.
func (r run) readContext(c buildContext, path string, host platform.Platform) (service, error) {
	s := service{context: c, name: c.name}
	file, at, missing := r.templatePath(c, path)
	s.beside = at
	folder := filepath.Dir(file)
	if missing != nil {
		folder = path
		if at.tree != nil {
			folder = c.folder()
		}
	}
	var err error
	if s.config, err = readConfig(at, filepath.Join(folder, "archbuild.yaml")); err != nil {
		return s, err
	}
	if s.own, err = r.readOwn(at, folder, s.config.Dockerfiles); err != nil {
		return s, err
	}
	platforms, from, err := r.choosePlatforms(s.config.Platforms, host)
	if err != nil {
		return s, err
	}
	s.platformsFrom = from
	if missing == nil {
		s.source, err = r.readSource(at, file)
	} else if r.File != "" {
		err = missing // a name that was given stands for nothing else
	} else if s.own, err = r.withoutTemplate(at, folder, platforms, missing); err == nil {
		s.source = s.own[platforms[0]]
	}
	if err != nil {
		return s, c.notDockerfile(err)
	}
	s.notes = append(s.context.notes, s.otherName()...)
	if err := checkCross(s); err != nil {
		return s, err
	}
	return s, r.target(&s, platforms)
}

// target fills in what each platform is built with.
func (r run) target(s *service, platforms []platform.Platform) error {
	for _, p := range platforms {
		t := plan.Target{Platform: p, Args: s.config.ArgsFor(p), Stage: s.config.TargetFor(p)}
		maps.Copy(t.Args, r.args.of(p))
		s.context.date(t.Args)
		if r.Target != "" {
			t.Stage = r.Target
		}
		if t.Stage != "" {
			// BuildKit knows a target by its name only.
			if !slices.ContainsFunc(s.of(p).template.Stages, func(st template.Stage) bool { return strings.EqualFold(st.Name, t.Stage) }) {
				return r.noStage(*s, p, t.Stage)
			}
		}
		s.targets = append(s.targets, t)
	}
	return nil
}

// noStage says where the name of a stage was given that is none.
func (r run) noStage(s service, p platform.Platform, stage string) error {
	t := s.of(p).template
	from := "--target"
	if r.Target == "" {
		for _, target := range s.config.Targets {
			if target.Name == stage {
				from = fmt.Sprintf("%s:%d", filepath.Join(filepath.Dir(s.file), s.config.Name), target.Line)
			}
		}
	}
	return &NoStageError{From: from, File: t.File, Stage: stage, Stages: stageNames(t)}
}

// serviceName is the folder's own name; what is no name for an image component is replaced.
func serviceName(folder string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, strings.ToLower(filepath.Base(folder)))
	if name = strings.Trim(name, "-._"); name == "" {
		return "image"
	}
	return name
}

// dockerfileNames are looked for in this order.
var dockerfileNames = []string{"Dockerfile", "dockerfile", "Dockerfile.template", "Containerfile"}

// templatePath finds the Dockerfile and where it is read: --file as the shell sees
// it, or below PATH when several are built; without the flag the first of
// dockerfileNames in the context. In a context that is no folder a relative --file is below it.
func (r run) templatePath(c buildContext, path string) (string, files, error) {
	at, folder := c.files(), path
	if at.tree != nil {
		folder = c.folder()
	}
	var candidates []string
	for _, name := range dockerfileNames {
		candidates = append(candidates, filepath.Join(folder, name))
	}
	switch {
	case c.Fetched != nil && c.Fetched.Dockerfile != "" && r.File == "":
		candidates = []string{c.Fetched.Dockerfile}
	case r.File != "" && filepath.IsAbs(r.File):
		candidates, at = []string{r.File}, files{}
	case r.File != "" && at.tree != nil:
		candidates = []string{filepath.Clean(r.File)}
	case r.File != "" && len(r.Paths) > 1:
		candidates = []string{filepath.Join(path, r.File)}
	case r.File != "":
		candidates = []string{r.File, filepath.Join(path, r.File)}
	}
	for _, candidate := range candidates {
		if at.isFile(candidate) {
			return candidate, at, nil
		}
	}
	return "", at, &NoDockerfileError{Path: candidates[0], From: c.root().from, in: at}
}

// otherName tells of a Containerfile that was passed over: podman would take it.
func (s service) otherName() []string {
	other := filepath.Join(filepath.Dir(s.file), "Containerfile")
	if s.file == other || !s.beside.isFile(other) || !slices.Contains(dockerfileNames, filepath.Base(s.file)) {
		return nil
	}
	return []string{fmt.Sprintf("%s is built, and not the Containerfile beside it; -f %s takes that", s.template.Name, other)}
}

func readConfig(at files, path string) (config.File, error) {
	data, err := at.optional(path)
	if err != nil {
		return config.File{}, err
	}
	if data == nil {
		other := strings.TrimSuffix(path, "yaml") + "yml"
		if _, err := at.stat(other); err == nil {
			return config.File{}, &wrong.File{fmt.Errorf("%s is not read under this name", other), "call it archbuild.yaml"}
		}
		return config.File{}, nil
	}
	return config.Load(path, data)
}

func stageNames(t *template.Template) []string {
	var names []string
	for _, s := range t.Stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}
