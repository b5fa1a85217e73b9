package archbuild

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// A project's file comes with the source. What it takes from outside of its folder is told; what it would write
// outside is not written unless the command line says so itself; and with --untrusted it gets and pushes nothing.

// reached is a target with the folder of its project.
type reached struct {
	project.Target
	folder string
}

// reachOf is a target with the folder that its project's file lies in.
func (o Options) reachOf(t project.Target) reached {
	folder := "."
	if o.found != nil && len(o.found.Files) > 0 {
		folder = filepath.Dir(o.found.Files[0])
	}
	return reached{t, folder}
}

// outside lists what a target takes from outside its project's folder, each with what it is.
func (t reached) outside() []string {
	var list []string
	for _, text := range t.Secrets {
		one, err := parseSecrets([]string{text})
		switch {
		case err != nil:
		case one[0].File == "":
			list = append(list, "the secret "+one[0].ID+" from the variable "+cmp.Or(one[0].Env, one[0].ID))
		case t.above(one[0].File):
			list = append(list, "the secret "+one[0].ID+" from "+one[0].File)
		}
	}
	for _, text := range t.SSH {
		id, paths, _ := strings.Cut(text, "=")
		list = append(list, "ssh "+id+" from "+cmp.Or(paths, "your agent"))
	}
	if t.above(t.Context) {
		list = append(list, "its context "+t.Context)
	}
	if file := fileOf(t.Target); t.above(file) && !isWithin(file, cmp.Or(t.Context, ".")) {
		list = append(list, "its Dockerfile "+file)
	}
	for _, c := range t.Contexts {
		if targetOf(c.Value) == "" && !isFetched(c.Value) && t.above(strings.TrimPrefix(c.Value, layoutScheme)) {
			list = append(list, "the context "+c.Name+" from "+c.Value)
		}
	}
	caches, _ := Options{}.parseCaches(cacheFromFlag, t.CacheFrom) // what is wrong with them is told where they are read
	for _, c := range caches {
		if c.Type == builder.CacheLocal && t.above(c.Attrs["src"]) {
			list = append(list, "the cache "+c.Attrs["src"])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.Args)) {
		if t.Args[key] == nil {
			list = append(list, "the argument "+key+" from the environment")
		}
	}
	return list
}

// above says whether a path leads out of the project's folder, links followed. A path that nothing lies at is no file.
func (t reached) above(path string) bool {
	if _, err := os.Stat(path); path == "" || err != nil {
		return false
	}
	return !isWithin(path, t.folder)
}

// isWithin says whether a path lies in a folder, wherever links lead to. The path need not be there yet.
func isWithin(path, folder string) bool {
	full, err := realPath(path)
	if err != nil {
		return false
	}
	if folder, err = realPath(folder); err != nil {
		return false
	}
	name, err := filepath.Rel(folder, full)
	return err == nil && filepath.IsLocal(name)
}

// realPath follows all links of a path, of which the end need not be there yet. A link to what is not there leads anywhere: an error.
func realPath(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for rest := ""; ; {
		at, err := filepath.EvalSymlinks(full)
		if err == nil {
			return filepath.Join(at, rest), nil
		}
		if _, there := os.Lstat(full); there == nil || full == filepath.Dir(full) {
			return "", err
		}
		rest, full = filepath.Join(filepath.Base(full), rest), filepath.Dir(full)
	}
}

// written lists the paths outside of the project's folder and of the working directory that a target would write to
// by its file's own word: outputs, and caches in folders.
func (o Options) written(t project.Target) []string {
	var paths []string
	if len(o.Outputs) == 0 && o.found.wants(t.Name) {
		outputs, _ := manifest.ParseOutputs(t.Outputs) // what is wrong with them is told where they are read
		for _, out := range outputs {
			if !out.Stdout() {
				paths = append(paths, out.Dest)
			}
		}
	}
	if len(o.CacheTo) == 0 {
		caches, _ := o.parseCaches(cacheToFlag, t.CacheTo)
		for _, c := range caches {
			if c.Type == builder.CacheLocal {
				paths = append(paths, c.Attrs["dest"])
			}
		}
	}
	own, folder := o.setPaths(), o.reachOf(t).folder
	return slices.DeleteFunc(paths, func(path string) bool {
		return path == "" || slices.Contains(own, path) || isWithin(path, folder) || isWithin(path, ".")
	})
}

// setPaths are the paths that --set writes to: the user's own word.
func (o Options) setPaths() []string {
	var paths []string
	for _, text := range o.Set {
		left, value, _ := strings.Cut(text, "=")
		_, key, _ := strings.Cut(strings.TrimSuffix(left, "+"), ".")
		switch key {
		case "output":
			if out, err := manifest.ParseOutput(value); err == nil {
				paths = append(paths, out.Dest)
			}
		case "cache-to":
			caches, _ := o.parseCaches(cacheToFlag, []string{value})
			for _, c := range caches {
				paths = append(paths, c.Attrs["dest"])
			}
		}
	}
	return paths
}

// checkWritten refuses a target whose file would have something written outside of its project.
func (o Options) checkWritten(t project.Target) error {
	if o.DryRun { // which writes nothing, and tells of it
		return nil
	}
	var failed []error
	for _, path := range o.written(t) {
		err := fmt.Errorf("it would write to %s, which is outside the project, and a file is not leave enough", path)
		failed = append(failed, &TargetError{t.Name, t.At, &wrong.File{err, "if you want that, say it on the command line: -o type=TYPE,dest=" + path + ", or --cache-to for a cache; else name a folder of the project"}})
	}
	return errors.Join(failed...)
}

// checkReach refuses, for a project that nobody vouches for, what lies outside of it, and that it pushes by itself.
func (o Options) checkReach(t project.Target) error {
	var failed []error
	refuse := func(err error) {
		failed = append(failed, &TargetError{t.Name, t.At, &wrong.File{err, "leave that out of the file, or --untrusted if you vouch for it"}})
	}
	for _, what := range o.reachOf(t).outside() {
		refuse(fmt.Errorf("it takes %s, and --untrusted gives it nothing from outside the project", what))
	}
	outputs, _ := manifest.ParseOutputs(t.Outputs)
	pushes := slices.ContainsFunc(outputs, func(out manifest.Output) bool { return out.Push })
	if pushes && !o.Push && len(o.Outputs) == 0 && o.found.wants(t.Name) {
		refuse(errors.New("it pushes, and --untrusted lends it no login: --push is yours to say"))
	}
	return errors.Join(failed...)
}

// reachNotes tell in the plan what a target takes from outside its project, and would write there.
func (o Options) reachNotes(t project.Target) []string {
	var notes []string
	if list := o.reachOf(t).outside(); len(list) > 0 {
		notes = append(notes, fmt.Sprintf("%s takes from outside the project: %s", t.Place(""), strings.Join(list, ", ")))
	}
	if list := o.written(t); len(list) > 0 {
		notes = append(notes, fmt.Sprintf("%s would write outside the project, which a build refuses: %s", t.Place(""), strings.Join(list, ", ")))
	}
	return notes
}
