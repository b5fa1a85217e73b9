package compose

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/project"
)

// stdin is how standard input is named.
const stdin = "-"

// errFull is for what is met after a bound that was told.
var errFull = errors.New("a bound is met")

// files are all that are read for one project.
type files struct {
	Options
	// dir is the project's folder.
	dir string
	// root is that folder, if nothing outside may be opened.
	root   *os.Root
	parsed map[string][]*tree
	// extended are the files that services of others start from.
	extended map[string]elsewhere
	loads    int
	visits   int
	// sourcesUsed are the indexes of Sources that a service has asked for.
	sourcesUsed map[int]bool
	// running says that what services run as is asked, and not what is built.
	running bool
	// full says that a bound was met, and told.
	full  bool
	known []string
	notes []string
	errs  []error
}

// open gives a file's bytes; at is where it is named.
func (l *files) open(name string, most int64, at project.Place) ([]byte, error) {
	if l.loads++; l.loads > maxFiles {
		if l.full {
			return nil, errFull
		}
		l.full = true
		return nil, wrong(at, "include fewer", "more than %d files are read", maxFiles)
	}
	var data []byte
	var err error
	switch {
	case name == stdin && at.File == "":
		data = l.Stdin
	case l.Tree != nil:
		data, err = plainfile.ReadFS(l.Tree, filepath.ToSlash(filepath.Clean(name)), most)
	case l.root != nil:
		var inside string
		if inside, err = filepath.Rel(l.dir, name); err == nil {
			data, err = plainfile.ReadIn(l.root, inside, most)
		}
	default:
		data, err = plainfile.Read(name, most)
	}
	if err == nil {
		return data, nil
	}
	return nil, unreadable(name, at, err)
}

// unreadable says of a file why it cannot be read, at the place that names it.
func unreadable(name string, at project.Place, err error) error {
	e := &Error{File: at.File, Line: at.Line, Text: name + ": " + err.Error(), hint: "name a file that is there", err: err}
	var path *fs.PathError
	if errors.As(err, &path) {
		e.Text = name + ": " + path.Err.Error()
	}
	var plain *plainfile.Error
	if errors.As(err, &plain) {
		e.hint = plain.Hint()
	}
	return e
}

// read gives the documents of a compose file.
func (l *files) read(name string, at project.Place) ([]*tree, error) {
	if docs, done := l.parsed[name]; done {
		return docs, nil
	}
	data, err := l.open(name, maxBytes, at)
	if err != nil {
		return nil, err
	}
	docs, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	l.parsed[name] = docs
	return docs, nil
}

// projectName is what a document calls the project; empty is nothing.
func (t *tree) projectName(env map[string]string) string { return t.top("name", env) }

// top is a single value at the top of a document; empty is none.
func (t *tree) top(key string, env map[string]string) string {
	silent := &files{}
	r := &reader{files: silent, tree: t, setting: setting{env: env}}
	for _, p := range r.pairs(t.root) {
		if p.key == key {
			value, _ := r.value(newTraces("the project"), p.value, p.at, key, "name")
			text, _ := value.(string)
			return text
		}
	}
	return ""
}

// local makes a path of a file relative to where the user is; what is no path stays.
func (r *reader) local(text string) string {
	if text == "" || isRemote(text) {
		return text
	}
	if rest, is := strings.CutPrefix(text, "~/"); is && !r.files.Foreign && r.env["HOME"] != "" {
		return filepath.Join(r.env["HOME"], rest)
	}
	if filepath.IsAbs(text) {
		return filepath.Clean(text)
	}
	path := filepath.Join(r.dir, text)
	if path == stdin { // a folder of that name is meant
		return "./-"
	}
	return path
}

// isRemote tells what a builder fetches, as compose tells it, and other images of the project.
func isRemote(text string) bool {
	if strings.Contains(text, "://") {
		return true
	}
	return slices.ContainsFunc([]string{"service:", "target:", "github.com/", "git@"}, func(p string) bool { return strings.HasPrefix(text, p) })
}

// outside tells whether a path leaves the project's folder, links followed. Those of a tree lead nowhere out of it.
func (l *files) outside(path string) bool {
	switch {
	case isRemote(path):
		return false
	case l.Tree != nil:
		return !filepath.IsLocal(path)
	}
	inside, err := filepath.Rel(l.dir, path)
	if err != nil || !filepath.IsLocal(inside) {
		return true
	}
	base, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return true
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	inside, err = filepath.Rel(base, real)
	return err != nil || !filepath.IsLocal(inside)
}

// trustIt is the hint where a foreign project asks for more than it gets.
const trustIt = "leave that out of the file, or --untrusted if you vouch for it"

// allowed tells whether a file or folder may be used, and fails if not.
func (l *files) allowed(path string, at project.Place, what string) bool {
	if !l.Foreign || !l.outside(path) {
		return true
	}
	if l.Tree != nil {
		l.fail(at, "leave that out of the file; or get it into a folder, look at it, and build that", "%s lies outside of what was fetched with the file", what)
		return false
	}
	l.fail(at, trustIt, "%s lies outside the project, which nobody vouches for", what)
	return false
}

// taken is allowed for what a build takes. Of what was fetched the caller of Load knows more: what the command line gives
// instead, and what is there.
func (l *files) taken(path string, at project.Place, what string) bool {
	return l.Tree != nil || l.allowed(path, at, what)
}

// include reads the files that an entry of include: names.
func (r *reader) include(v any, at project.Place, stack []string) *model {
	entry, ok := v.(map[string]any)
	if !ok {
		entry = map[string]any{"path": []any{v}}
	}
	paths, env := texts(entry["path"]), maps.Clone(r.env)
	if len(paths) == 0 {
		r.files.fail(at, "write include: [FILE]", "include names no file")
		return newModel()
	}
	for i, path := range paths {
		if strings.Contains(path, "://") || strings.HasPrefix(path, "git@") {
			r.files.fail(at, "fetch it, and include the file that you have", "include of %s: only files are included", path)
			return newModel()
		}
		paths[i] = r.local(path)
		if !r.files.allowed(paths[i], at, "the included file "+path) {
			return newModel()
		}
	}
	if slices.Contains(stack, paths[0]) {
		r.files.fail(at, "take one of the includes out", "include cycle: %s", strings.Join(append(slices.Clone(stack), paths[0]), " includes "))
		return newModel()
	}
	dir := filepath.Dir(paths[0])
	if given := one(entry["project_directory"]); given != "" {
		dir = r.local(given)
	}
	if err := r.includedEnv(env, texts(entry["env_file"]), dir, at); err != nil {
		r.files.add(err)
		return newModel()
	}
	m := r.files.readAll(setting{dir: dir, env: env}, paths, at, stack)
	return m
}

// includedEnv adds the variables of an included project: they are its own, and lose against those of who includes it.
func (r *reader) includedEnv(env map[string]string, given []string, dir string, at project.Place) error {
	if len(given) == 0 {
		if !r.files.allowed(dir, at, "the folder "+dir) {
			return nil
		}
		return r.files.dotEnv(env, dir, at)
	}
	var names []string
	for _, name := range given {
		if name = r.local(name); name != os.DevNull && r.files.allowed(name, at, "the file "+name) {
			names = append(names, name)
		}
	}
	return r.files.envFiles(env, names, at)
}
