package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// service is one PATH as it was found: a template, what archbuild.yaml beside
// it says, and what is to be built of it.
type service struct {
	name string
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
}

// hasFolder says whether there is a folder of the template's own, to write to.
func (s service) hasFolder() bool { return s.beside.tree == nil && !fromStdin(s.file) }

// begin reads the options, this machine and every PATH: where each verb starts
// that looks at Dockerfiles and builds nothing.
func (o Options) begin(ctx context.Context) (run, detect.HostFacts, []service, error) {
	r, err := o.check()
	if err != nil {
		return r, detect.HostFacts{}, nil, err
	}
	host, err := o.host(ctx)
	if err != nil {
		return r, host, nil, err
	}
	services, err := r.read(ctx, host)
	return r, host, services, err
}

// read finds and reads every PATH. All that is wrong with any of them is reported.
func (r run) read(ctx context.Context, host detect.HostFacts) ([]service, error) {
	if len(r.Paths) == 0 {
		return nil, &UsageError{errors.New("no folder to build was given"), "archbuild PATH, where PATH is the folder of a Dockerfile, or a Git repository"}
	}
	if err := r.checkStdin(); err != nil {
		return nil, err
	}
	var services []service
	var failed []error
	for _, path := range r.Paths {
		s, err := r.readService(ctx, path, host)
		failed = append(failed, err)
		if err == nil {
			services = append(services, s)
		}
	}
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
	if err != nil {
		c.close()
	}
	return s, err
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
			folder = "."
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
		folder = "."
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
	return "", at, &NoDockerfileError{Path: candidates[0], From: c.from, in: at}
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
			return config.File{}, &FileError{fmt.Errorf("%s is not read under this name", other), "call it archbuild.yaml"}
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
