package archbuild

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/bake"
	"github.com/archbuild/archbuild/project/find"
	"github.com/archbuild/archbuild/wrong"
)

// A hint that names a file has to work where the user stands. Paths in a bake file start from the working directory,
// and most of them mean that of the file: so it can be necessary to go there.

// arguments are those by which a project's file is taken, and names in it, and the folder in which they work: "" where the
// user is.
func (o Options) arguments(files, names []string) (words, in string) {
	in = startIn(filepath.Dir(files[0]), o.targetsOf(find.Found{Kind: fileKind(files[0]), Files: files}, names))
	var list []string
	for _, file := range files {
		if name, err := filepath.Rel(in, file); err == nil && in != "" {
			file = name
		}
		list = append(list, "-f", file)
	}
	return strings.Join(append(list, names...), " "), in
}

// targetsOf are the targets of a project that names stand for, and if that cannot be, all.
func (o Options) targetsOf(file find.Found, names []string) []project.Target {
	p, err := o.load(file, names)
	if err != nil && file.Kind == find.Bake { // as where there is no default
		p, err = o.load(file, []string{"*"})
	}
	if err != nil {
		return nil
	}
	return p.Targets
}

// startIn is the folder of a project's file if its images are found from there, and not from the working directory; else "".
func startIn(folder string, targets []project.Target) string {
	if filepath.IsAbs(folder) || folder == "." {
		return ""
	}
	for _, t := range targets {
		if !isSource(t, "") && isSource(t, folder) {
			return folder
		}
	}
	return ""
}

// isSource says whether the context and the Dockerfile of a target are there for who stands in a folder. What is no folder is no question.
func isSource(t project.Target, in string) bool {
	context := filepath.Join(in, cmp.Or(t.Context, "."))
	if !isFolder(context) {
		return false
	}
	if t.Inline != "" {
		return true
	}
	names := dockerfileNames
	if t.Dockerfile != "" {
		names = []string{t.Dockerfile}
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return filepath.IsAbs(name) || !missing(filepath.Join(context, name))
	})
}

// onlyArguments is the hint at a command line that has a word too many.
func (o Options) onlyArguments(files, names []string) string {
	words, in := o.arguments(files, names)
	if in != "" {
		return "paths in a bake file start from the working directory: cd " + in + ", and give only " + words
	}
	return "give only " + words
}

// fileOfFolder says that -f names a project's file as it is called in PATH: there is none here.
func (o Options) fileOfFolder() error {
	folder := o.Paths[0]
	files := []string{filepath.Join(folder, o.File)}
	for _, more := range o.MoreFiles {
		if missing(more) {
			more = filepath.Join(folder, more)
		}
		files = append(files, more)
	}
	err := fmt.Errorf("%s: no such file; with a compose or bake file there is no PATH, and %s is one", o.File, files[0])
	return &wrong.Usage{err, o.onlyArguments(files, o.Paths[1:])}
}

// folderNamed says that a folder stands where names of a project's images stand. Known are those that there are.
func (o Options) folderNamed(files, names []string, folder string, known []string) error {
	err := fmt.Errorf("%s is a folder, and after %s stand names of what is in it", folder, strings.Join(files, ", "))
	if o.File == "" || o.opened != nil {
		hint := "build one after the other"
		if len(known) > 0 {
			hint += "; it has " + ui.Few(known)
		}
		return &wrong.Usage{err, hint}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == folder })
	return &wrong.Usage{err, o.onlyArguments(append([]string{o.File}, o.MoreFiles...), names)}
}

// noFile says that a project's file is not there.
func (o Options) noFile(file string) error {
	folder := filepath.Dir(file)
	hint := "name one that is there"
	if near := (&NoFolderError{Path: file}).nearFile(folder); near != "" {
		hint = "did you mean " + near + "?"
	} else if in, err := find.In(folder); err == nil && len(in.Files) > 0 {
		hint = o.thereIs(file, in)
	}
	return &wrong.Usage{fmt.Errorf("%s: no such file", file), hint}
}

// thereIs names the files of projects that there are instead of one: those of its kind, if there are any.
func (o Options) thereIs(file string, found find.Found) string {
	list := append(found.Files[:1:1], found.Beside...)
	alike := slices.DeleteFunc(slices.Clone(list), func(name string) bool { return isBakeName(name) != isBakeName(file) })
	if len(alike) > 0 {
		list = alike
	}
	if len(list) == 1 && o.opened == nil {
		if words, in := o.arguments(list, nil); in != "" {
			return "there is " + list[0] + ", whose paths start from the working directory: cd " + in + ", and name it with " + words
		}
	}
	return "there is " + strings.Join(list, " and ")
}

// isBakeName says of the name of a project's file that it is one for bake, most probably.
func isBakeName(name string) bool {
	return slices.Contains([]string{".hcl", ".json"}, strings.ToLower(filepath.Ext(name)))
}

// ofBake makes wrong usage of what is wrong with a name or a flag.
func (o Options) ofBake(file find.Found, names []string, err error) error {
	if err == nil {
		return nil
	}
	var each []error
	for _, e := range leaves(err) {
		of := new(bake.Error)
		switch {
		case !errors.As(e, &of) || of.Place.File != "" || of.Cause != nil:
		case of.Unknown != "" && isFolder(of.Unknown):
			e = o.folderNamed(file.Files, names, of.Unknown, nil)
		default:
			e = wrong.AsUsage(e)
		}
		each = append(each, e)
	}
	return errors.Join(each...)
}

// noTarget says that a project has nothing of a name that could be built.
func (o Options) noTarget(p project.Project, names []string, name string) error {
	file := strings.Join(p.Files, ", ")
	if i := slices.IndexFunc(p.Images, func(i project.Image) bool { return i.Name == name }); i >= 0 {
		image := p.Images[i]
		return &wrong.Usage{fmt.Errorf("%s: %s has an image, %s, and no build", image.At, name, image.Image), "give it a build:, or map the image to a folder under services: in archbuild.yaml"}
	}
	var known []string
	for _, t := range p.Targets {
		known = append(known, t.Name)
	}
	for _, g := range p.Groups {
		known = append(known, g.Name)
	}
	if isFolder(name) && !slices.Contains(known, name) {
		return o.folderNamed(p.Files, names, name, known)
	}
	hint := "it has " + ui.Few(known)
	if near := nearest.Word(name, known); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return &wrong.Usage{fmt.Errorf("%s: there is no %s in it", file, name), hint}
}
