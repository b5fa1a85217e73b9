// Package compose reads compose files: which images a project builds, and how.
//
// The meaning of the files is compose-go's: how overrides are laid over files and services over those
// that they extend, how short forms become long ones, what a .env file says. What archbuild adds is
// that every word keeps its line, and that only the words of a build are looked at: image, build, the
// secrets that builds name, and what leads to them (name, include, extends, profiles). So a wrong
// ports: or a variable that only a container needs never keeps an image from being built.
//
// The files come with the source and are read with suspicion: they are bounded in size, depth and
// number, what they name is opened as a plain file, and a definition that is not from this machine
// (Options.Foreign) reaches neither the environment nor what lies outside its folder.
//
// References: https://docs.docker.com/reference/compose-file/ and, for x-bake,
// https://docs.docker.com/build/bake/compose-file/
package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/project"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
)

// Options say which files, and in which surroundings they are read.
type Options struct {
	// Files are compose files, each laid over the one before; "-" is Stdin. The folder
	// of the first one is the project's, and relative paths in all of them are relative to it.
	Files []string
	Stdin []byte
	// EnvFiles are read instead of the .env in the project's folder.
	EnvFiles []string
	// Environ in the form of os.Environ; it wins over files.
	Environ []string
	// Name of the project; empty takes COMPOSE_PROJECT_NAME, the files' or the folder's.
	Name string
	// Profiles that are on; empty takes COMPOSE_PROFILES. "*" is all.
	Profiles []string
	// Named says that the user names services: those that profiles leave out are no news then.
	Named bool
	// Sources are where images are built from that the files only name.
	Sources []Source
	// Foreign says that nobody vouches for the definition: it gets nothing of the
	// environment and of what lies outside its folder.
	Foreign bool
	// Tree is where the files lie, if that is not this machine: what was fetched is Foreign, but the whole tree is its
	// own. Files and all paths in them are then relative to its root, and only EnvFiles are this machine's.
	Tree fs.FS
	// Fallback is the name of a project that nothing else names; empty is that of its folder.
	Fallback string
}

// Load reads a project. Services that have a build or a Source are its Targets, in the order of the files, those of
// an included file before its own; services that have only an image are its Images. If profiles
// leave services out, Default are the others, or the empty group "default". All errors are returned, joined, each an *Error.
func Load(o Options) (project.Project, error) {
	l, closeRoot, err := o.open()
	if err != nil {
		return project.Project{}, err
	}
	defer closeRoot()
	name, env, m, err := l.merged()
	if err != nil {
		return project.Project{}, err
	}
	p := l.assemble(name, env, m)
	if err := l.mistakes(); err != nil {
		return project.Project{}, err
	}
	return p, nil
}

// open is the beginning of reading; the caller calls closeRoot.
func (o Options) open() (l *files, closeRoot func(), err error) {
	if len(o.Files) == 0 {
		return nil, nil, &Error{Text: "no compose file is given", hint: "name one, or a folder that has a compose.yaml"}
	}
	l = &files{Options: o, dir: folder(o.Files[0]), parsed: map[string][]*tree{}, extended: map[string]elsewhere{}, sourcesUsed: map[int]bool{}}
	if l.Foreign = o.Foreign || o.Tree != nil; !l.Foreign || o.Tree != nil {
		return l, func() {}, nil
	}
	if l.root, err = os.OpenRoot(l.dir); err != nil {
		return nil, nil, fmt.Errorf("opening the project's folder: %w", err)
	}
	return l, func() { l.root.Close() }, nil
}

// merged is the project's name, its variables, and what all its files together say.
func (l *files) merged() (name string, env map[string]string, m *model, err error) {
	if env, err = l.environment(); err != nil {
		return "", nil, nil, err
	}
	if name, err = l.projectName(env); err != nil {
		return "", nil, nil, err
	}
	env[consts.ComposeProjectName] = name
	m, err = l.model(setting{dir: l.dir, env: env}, l.Files, nil)
	return name, env, m, err
}

// folder is that of a file, as the user would write it.
func folder(file string) string {
	if file == stdin {
		return "."
	}
	return filepath.Dir(file)
}

// projectName is what the user says, else the environment, else the last file that says one, else the folder's name.
func (l *files) projectName(env map[string]string) (string, error) {
	name := l.Name
	if name == "" {
		name = env[consts.ComposeProjectName]
	}
	if name != "" {
		if loader.NormalizeProjectName(name) != name {
			return "", &Error{Text: fmt.Sprintf("a project cannot be called %q", name), hint: "use small letters, digits, - and _, and begin with a letter or digit"}
		}
		return name, nil
	}
	for _, file := range l.Files {
		docs, err := l.read(file, project.Place{})
		if err != nil {
			return "", err
		}
		for _, doc := range docs {
			if given := doc.projectName(env); given != "" {
				name = given
			}
		}
	}
	if name = loader.NormalizeProjectName(name); name != "" {
		return name, nil
	}
	if name = loader.NormalizeProjectName(l.Fallback); name != "" {
		return name, nil
	}
	abs, err := filepath.Abs(l.dir)
	if err != nil {
		return "", fmt.Errorf("finding the project's folder: %w", err)
	}
	if name = loader.NormalizeProjectName(filepath.Base(abs)); name != "" {
		return name, nil
	}
	return "project", nil
}

// assemble makes the project of what all files together say.
func (l *files) assemble(name string, env map[string]string, m *model) project.Project {
	p := project.Project{Name: name, Files: l.Files}
	on := l.profiles(env)
	var left, off []string
	for _, service := range m.order {
		s := m.services[service]
		enabled := on(s)
		t, ok := l.broken(s)
		if !ok {
			t, ok = l.target(p.Name, s, m, env)
		}
		if !ok {
			t, ok = l.sourced(s)
		}
		switch {
		case ok:
			p.Targets = append(p.Targets, t)
			if enabled {
				left = append(left, service)
			} else {
				off = append(off, service)
			}
		case s.text("image") != "" && enabled:
			p.Images = append(p.Images, project.Image{Name: service, Image: s.text("image"), At: s.place("image")})
		case s.text("image") == "" && !s.has("build"):
			l.note(s.at, "service %s has neither an image nor a build", service)
		}
	}
	l.unusedSources()
	if len(off) > 0 {
		p.Default = left
	}
	if len(off) > 0 && !l.Named {
		l.note(project.Place{File: l.Files[0]}, "left out by their profiles: %s", strings.Join(off, ", "))
	}
	if len(off) > 0 && len(left) == 0 {
		p.Groups, p.Default = []project.Group{{Name: "default"}}, []string{"default"}
	}
	p.Notes = l.notes
	return p
}

// profiles tells of a service whether it is on.
func (l *files) profiles(env map[string]string) func(*service) bool {
	on := l.Profiles
	if len(on) == 0 {
		for part := range strings.SplitSeq(env[consts.ComposeProfiles], ",") {
			on = append(on, strings.TrimSpace(part))
		}
	}
	return func(s *service) bool {
		wanted := s.texts("profiles")
		return len(wanted) == 0 || slices.Contains(on, "*") || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(on, w) })
	}
}

func (l *files) note(at project.Place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if at.Line > 0 {
		text = fmt.Sprintf("%s:%d: %s", at.File, at.Line, text)
	} else {
		text = at.File + ": " + text
	}
	if !slices.Contains(l.notes, text) && len(l.notes) < maxNotes {
		l.notes = append(l.notes, text)
	}
}

// mistakes are all that were found, joined, unless they are too many to be read.
func (l *files) mistakes() error {
	if len(l.errs) > maxMistakes {
		more := &Error{File: l.Files[0], Text: fmt.Sprintf("%d more mistakes", len(l.errs)-maxMistakes), hint: "correct the first ones: they are often the cause of others"}
		return errors.Join(append(slices.Clone(l.errs[:maxMistakes]), more)...)
	}
	return errors.Join(l.errs...)
}
