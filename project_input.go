package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/find"
	"github.com/archbuild/archbuild/wrong"
)

// Projects is what a user can say of several images that belong together. Paths are then
// one file that lists them, or a folder that has one and no Dockerfile, and after it the
// names of those that are wanted; or folders, each of one image.
type Projects struct {
	// NoDeps builds what is named and nothing that it stands on.
	NoDeps bool
	// Links are [USER:]NAME=BASE: where USER asks for the image NAME, BASE of this project is meant.
	Links []string
	// Set are TARGET.KEY=VALUE of bake files, and Vars NAME=VALUE. EnvFiles and Profiles are of compose files.
	Set, Vars, EnvFiles, Profiles []string
	// All takes every Dockerfile below the paths, each named by its folder.
	All bool
	// MoreFiles are laid over File, where that is a compose or bake file.
	MoreFiles []string
}

// foundProject is a project that the paths have turned out to be.
type foundProject struct {
	project.Project
	// names of the targets that are wanted, in the order of the file.
	names []string
	// origin is where it was read, if that is no folder.
	origin *farRoot
}

// wants says whether somebody asked for a target.
func (a foundProject) wants(name string) bool { return slices.Contains(a.names, name) }

// input finds out what Paths and File mean: a project, or paths as they are. With a project
// File and Paths are used up. The caller calls leave.
func (o Options) input(ctx context.Context) (Options, error) {
	if o.found != nil {
		return o, nil
	}
	o, err := o.open(ctx)
	if err != nil {
		return o, err
	}
	o, err = o.understood()
	if err != nil {
		o.leave()
	}
	return o, err
}

// understood is what input is about, of what is open.
func (o Options) understood() (Options, error) {
	file, names, err := o.projectFile()
	switch {
	case err != nil:
		return o, err
	case len(file.Files) == 0 && !o.All:
		return o, o.checkNoProject()
	}
	var p project.Project
	if o.All {
		p, err = o.below()
	} else {
		p, err = o.load(file, names)
	}
	if err != nil {
		return o, err
	}
	p.Notes = slices.Concat(file.Notes, p.Notes)
	found := &foundProject{Project: p, origin: o.opened}
	if file.Kind == find.Bake { // which has looked the names up
		names = p.Default
	}
	if found.names, err = o.chosen(p, names); err != nil {
		return o, err
	}
	if len(p.Targets) == 0 {
		return o, &wrong.File{fmt.Errorf("%s: nothing in it is built", strings.Join(p.Files, ", ")), "give one of its services a build:, or map its image to a folder under services: in archbuild.yaml"}
	}
	o.found, o.Paths, o.File, o.several = found, nil, "", len(found.names)
	return o, nil
}

// checkNoProject refuses flags that only mean something in a project.
func (o Options) checkNoProject() error {
	var failed []error
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--set", len(o.Set) > 0}, {"--var", len(o.Vars) > 0}, {"--env-file", len(o.EnvFiles) > 0}, {"--profile", len(o.Profiles) > 0}} {
		if flag.given {
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s: no compose or bake file is built", flag.name), "name the file, or leave " + flag.name + " out"})
		}
	}
	return errors.Join(failed...)
}

// projectFile looks whether -f or the first PATH is a project's file, or a folder that has
// one and no Dockerfile. names are the other arguments.
func (o Options) projectFile() (found find.Found, names []string, err error) {
	if o.All { // the folder, and behind it names of those below
		return found, o.Paths[min(1, len(o.Paths)):], nil
	}
	if o.opened != nil {
		return o.opened.project(o)
	}
	if o.File != "" {
		found.Kind = fileKind(o.File)
		switch {
		case found.Kind == find.None && len(o.MoreFiles) > 0:
			return found, nil, &wrong.Usage{fmt.Errorf("-f is given twice, and %s is no compose or bake file", o.File), "name one Dockerfile"}
		case found.Kind != find.None:
			found.Files = append([]string{o.File}, o.MoreFiles...)
		case missing(o.File) && len(o.Paths) > 0 && isFolder(o.Paths[0]) && looksLikeProject(o.File) && IsProjectFile(filepath.Join(o.Paths[0], o.File)):
			return found, nil, o.fileOfFolder()
		case missing(o.File) && (len(o.Paths) == 0 || looksLikeProject(o.File) && missing(o.Paths[0])):
			return found, nil, o.noFile(o.File)
		}
		return found, o.Paths, nil
	}
	if len(o.Paths) == 0 {
		return found, nil, nil
	}
	path := o.Paths[0]
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		found, err = filesIn(path)
	case err == nil && looksLikeProject(path) && IsProjectFile(path):
		found = find.Found{Kind: fileKind(path), Files: []string{path}}
	case err != nil && looksLikeProject(path) && !builder.IsRemote(path):
		return found, nil, o.noFile(path)
	}
	if len(found.Files) == 0 {
		return found, nil, nil // what there is to say of the path is said when it is read
	}
	return found, o.Paths[1:], err
}

// missing says of what would be a file or a folder of this machine that there is none.
func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist) && name != stdinName && !builder.IsRemote(name)
}

// fileKind tells whether a file lists images: find.None for what is no such file.
func fileKind(name string) find.Kind {
	kind, err := find.File(name)
	if err != nil || kind == find.Dockerfile {
		return find.None
	}
	return kind
}

// IsProjectFile says whether a file is a compose or bake file, by its name and what is in it.
func IsProjectFile(name string) bool { return fileKind(name) != find.None }

// looksLikeProject says of a name that it would be such a file's, if there were one.
func looksLikeProject(name string) bool {
	return slices.Contains([]string{".hcl", ".json", ".yaml", ".yml"}, strings.ToLower(filepath.Ext(name)))
}

// filesIn finds the files of a project in a folder that has no Dockerfile.
func filesIn(folder string) (find.Found, error) {
	if slices.ContainsFunc(dockerfileNames, func(name string) bool { return (files{}).isFile(filepath.Join(folder, name)) }) {
		return find.Found{}, nil
	}
	return find.In(folder)
}

// chosen are the targets that names stand for, in the order of the file: those of groups
// among them, without names those of the default, else all.
func (o Options) chosen(p project.Project, names []string) ([]string, error) {
	if len(names) == 0 {
		names = p.Default
	}
	wanted := map[string]bool{}
	var failed []error
	seen := map[string]bool{}
	var take func(name string)
	take = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		if slices.ContainsFunc(p.Targets, func(t project.Target) bool { return t.Name == name }) {
			wanted[name] = true
			return
		}
		i := slices.IndexFunc(p.Groups, func(g project.Group) bool { return g.Name == name })
		if i < 0 {
			failed = append(failed, o.noTarget(p, names, name))
			return
		}
		for _, member := range p.Groups[i].Members {
			take(member)
		}
	}
	for _, name := range names {
		take(name)
	}
	var list []string
	for _, t := range p.Targets {
		if wanted[t.Name] || len(names) == 0 {
			list = append(list, t.Name)
		}
	}
	return list, errors.Join(failed...)
}

// links reads --link.
func (o Options) links() ([]project.Link, error) {
	var list []project.Link
	for _, text := range o.Links {
		// An image may have a colon, and a digest no other sign of equality.
		left, base, ok := cutLast(text, "=")
		if !ok || left == "" || base == "" {
			return nil, &wrong.Usage{fmt.Errorf("--link %s is not NAME=BASE", text), "write --link NAME=BASE, or --link USER:NAME=BASE for one service alone"}
		}
		link := project.Link{Name: left, Base: base}
		if user, name, ok := strings.Cut(left, ":"); ok && o.isService(user) {
			link.User, link.Name = user, name
		}
		list = append(list, link)
	}
	return list, nil
}

// isService says whether a word before the first colon of --link is a service, and no image.
func (o Options) isService(name string) bool {
	if o.found == nil {
		return slices.ContainsFunc(o.Paths, func(path string) bool { return serviceName(path) == name })
	}
	return slices.ContainsFunc(o.found.Targets, func(t project.Target) bool { return t.Name == name })
}
