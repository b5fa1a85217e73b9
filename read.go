package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
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
	// context is the build context's folder, absolute.
	context string
	// source is the template; of a folder without one, some platform's own file.
	source
	// own are the files of platforms that are not built from the template.
	own           map[platform.Platform]source
	config        config.File
	targets       []plan.Target
	platformsFrom string
}

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
	services, err := r.read(host.Platform)
	return r, host, services, err
}

// read finds and reads every PATH. All that is wrong with any of them is reported.
func (r run) read(host platform.Platform) ([]service, error) {
	if len(r.Paths) == 0 {
		return nil, &UsageError{errors.New("no folder to build was given"), "archbuild PATH, where PATH is the folder of a Dockerfile"}
	}
	var services []service
	var failed []error
	for _, path := range r.Paths {
		s, err := r.readService(path, host)
		failed = append(failed, err)
		services = append(services, s)
	}
	if err := joinedOnce(failed); err != nil {
		return nil, err
	}
	return services, r.checkForeign(services)
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

func (r run) readService(path string, host platform.Platform) (service, error) {
	var s service
	context, err := contextFolder(path)
	if err != nil {
		return s, err
	}
	s.context, s.name = context, serviceName(context)
	file, missing := r.templatePath(path)
	folder := filepath.Dir(file)
	if missing != nil {
		folder = path
	}
	if s.config, err = readConfig(filepath.Join(folder, "archbuild.yaml")); err != nil {
		return s, err
	}
	if s.own, err = r.readOwn(folder, s.config.Dockerfiles); err != nil {
		return s, err
	}
	platforms, from, err := r.choosePlatforms(s.config.Platforms, host)
	if err != nil {
		return s, err
	}
	s.platformsFrom = from
	if missing == nil {
		s.source, err = r.readSource(file)
	} else if r.File != "" {
		err = missing // a name that was given stands for nothing else
	} else if s.own, err = r.withoutTemplate(path, platforms, missing); err == nil {
		s.source = s.own[platforms[0]]
	}
	if err != nil {
		return s, err
	}
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

// contextFolder is the absolute path of a build context.
func contextFolder(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil && (path == "-" || strings.Contains(path, "://") || strings.HasPrefix(path, "git@")):
		return "", &UsageError{fmt.Errorf("%s: only a folder can be built so far", path), "get the sources into a folder: archbuild FOLDER"}
	case errors.Is(err, fs.ErrNotExist):
		return "", &NoFolderError{Path: path}
	case err != nil:
		return "", &ReadError{What: "the context", Err: err}
	case !info.IsDir():
		return "", &UsageError{fmt.Errorf("%s is a file, not a folder", path), fmt.Sprintf("give the folder, and the file with -f: %s -f %s", filepath.Dir(path), path)}
	}
	return filepath.Abs(path)
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

// templatePath finds the Dockerfile: --file as the shell sees it, or below PATH
// when several are built; without the flag PATH/Dockerfile.
func (r run) templatePath(path string) (string, error) {
	if r.File == "-" {
		return "", &UsageError{errors.New("-f -: a Dockerfile on standard input is not read so far"), "write it to a file: -f FILE"}
	}
	candidates := []string{filepath.Join(path, "Dockerfile"), filepath.Join(path, "dockerfile"), filepath.Join(path, "Dockerfile.template")}
	if r.File != "" {
		candidates = []string{r.File, filepath.Join(path, r.File)}
		if len(r.Paths) > 1 && !filepath.IsAbs(r.File) {
			candidates = candidates[1:]
		}
	}
	for _, candidate := range candidates {
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate, nil
		}
	}
	return "", &NoDockerfileError{Path: candidates[0]}
}

// readTemplate reads no more of a file than a Dockerfile may have, and a byte
// beyond, so that the reader of Dockerfiles can say that it is too long.
func readTemplate(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1))
}

func readConfig(path string) (config.File, error) {
	data, err := readOptional(path)
	if err != nil {
		return config.File{}, err
	}
	if data == nil {
		other := strings.TrimSuffix(path, "yaml") + "yml"
		if _, err := os.Stat(other); err == nil {
			return config.File{}, &FileError{fmt.Errorf("%s is not read under this name", other), "call it archbuild.yaml"}
		}
		return config.File{}, nil
	}
	return config.Load(path, data)
}

// readOptional reads a file that need not be there; nil when it is not.
func readOptional(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
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
