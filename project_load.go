package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/bake"
	"github.com/archbuild/archbuild/project/compose"
	"github.com/archbuild/archbuild/project/find"
	"github.com/archbuild/archbuild/project/folders"
	"github.com/archbuild/archbuild/wrong"
)

// load reads the files of a project.
func (o Options) load(file find.Found, names []string) (project.Project, error) {
	p, err := o.loadFiles(file, names)
	switch {
	case o.opened == nil:
		return p, err
	case err != nil:
		return p, o.opened.mislocated(err, o.EnvFiles, file.Files)
	}
	return o.opened.located(p, o.EnvFiles), nil
}

func (o Options) loadFiles(file find.Found, names []string) (project.Project, error) {
	var failed []error
	other := func(flag string, given bool, kind string) {
		if given {
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s is about %s files, and %s is none", flag, kind, file.Files[0]), "leave " + flag + " out"})
		}
	}
	if file.Kind == find.Compose {
		other("--set", len(o.Set) > 0, "bake")
		other("--var", len(o.Vars) > 0, "bake")
		if failed != nil {
			return project.Project{}, errors.Join(failed...)
		}
		var tree fs.FS
		fallback := ""
		if o.opened != nil {
			tree, fallback = o.opened.whole.tree, o.opened.whole.name
		}
		sources, err := SourcesBeside(tree, file.Files[0])
		if err != nil {
			return project.Project{}, err
		}
		return compose.Load(compose.Options{Tree: tree, Fallback: fallback, Files: file.Files, EnvFiles: o.EnvFiles, Environ: o.Environ, Profiles: o.Profiles, Named: len(names) > 0, Sources: sources, Foreign: o.Untrusted})
	}
	other("--env-file", len(o.EnvFiles) > 0, "compose")
	other("--profile", len(o.Profiles) > 0, "compose")
	if failed != nil {
		return project.Project{}, errors.Join(failed...)
	}
	p, err := bake.Load(o.bakeOptions(file, names))
	return p, o.ofBake(file, names, err)
}

// SourcesBeside are the images that the archbuild.yaml beside a compose file says the sources of. A nil tree is this machine.
func SourcesBeside(tree fs.FS, file string) ([]compose.Source, error) {
	path := filepath.Join(filepath.Dir(file), "archbuild.yaml")
	c, err := readConfig(files{tree}, path)
	var list []compose.Source
	for _, s := range c.Services {
		args := map[string]string{}
		for _, arg := range s.Args {
			args[arg.Key] = arg.Value
		}
		list = append(list, compose.Source{Image: s.Image, Context: s.Context, Dockerfile: s.Dockerfile, Target: s.Target, Args: args, At: project.Place{File: path, Line: s.Line}})
	}
	return list, err
}

func (o Options) bakeOptions(file find.Found, names []string) bake.Options {
	made := bake.Options{Files: file.Files, Names: names, Set: o.Set, Vars: o.Vars, Env: o.lookupEnv, LocalPlatform: platform.Host().String()}
	if o.Untrusted { // a variable of the file may have the name of one that holds a token
		made.Env = nil
	}
	if o.opened != nil {
		made.Tree = o.opened.whole.tree
	}
	return made
}

// PrintProject prints what `docker buildx bake --print` prints of a bake file: the targets
// that are asked for, with everything filled in. It does nothing else.
func PrintProject(ctx context.Context, opts Options) error {
	opts, err := opts.open(ctx)
	if err != nil {
		return err
	}
	defer opts.leave()
	file, names, err := opts.projectFile()
	switch {
	case err != nil:
		return err
	case file.Kind != find.Bake:
		return &wrong.Usage{errors.New("--print shows the targets of a bake file, and none is given"), "name one with -f; `archbuild plan` shows what would be done, for any PATH"}
	}
	text, err := bake.Print(opts.bakeOptions(file, names))
	if opts.opened != nil {
		err = opts.opened.mislocated(err, nil, nil)
	}
	if err != nil {
		return opts.ofBake(file, names, err)
	}
	return ui.WriteExact(opts.Stdout, text)
}

// below finds every Dockerfile below the path. Each is named by its folder.
func (o Options) below() (project.Project, error) {
	root := "."
	switch {
	case o.File != "":
		return project.Project{}, &wrong.Usage{errors.New("--all and -f exclude each other"), "leave one of them out"}
	case len(o.Paths) > 0:
		root = o.Paths[0]
	}
	if isFar(root) || isArchiveFile(root) {
		return project.Project{}, &wrong.Usage{fmt.Errorf("--all looks below a folder of this machine, and not in %s", builder.Remote{Address: root}.Shown()), "clone or unpack it first, and name the folder; or name the Dockerfiles in a compose or bake file"}
	}
	if !isFolder(root) {
		return project.Project{}, &wrong.Usage{fmt.Errorf("--all: %s is no folder", root), "name the folder that the Dockerfiles are below"}
	}
	p, err := folders.Load(root)
	if none := new(folders.Error); errors.As(err, &none) {
		err = wrong.AsUsage(err)
	}
	return p, err
}
