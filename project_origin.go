package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/project/find"
	"github.com/archbuild/archbuild/wrong"
)

// A project can lie in a Git repository or a tar archive, or its definition be one file at an address. It is opened
// once, before anything else is known of the run: all contexts in it are of one commit, and none is fetched twice.

// farRoot is where a PATH has its files that is no folder, as it was opened.
type farRoot struct {
	// path as the user gave it, and shown without passwords in it.
	path, shown string
	whole       buildContext
	// lone is the name of the one file that there is, when it is a definition.
	lone string

	mu    sync.Mutex
	holds int
}

// hold keeps it open until the function that it gives is called.
func (g *farRoot) hold() (leave func()) {
	g.mu.Lock()
	g.holds++
	g.mu.Unlock()
	return sync.OnceFunc(func() {
		g.mu.Lock()
		g.holds--
		last := g.holds == 0
		g.mu.Unlock()
		if last {
			g.whole.end()
		}
	})
}

// context is all of it, as the context of one image.
func (g *farRoot) context() buildContext {
	c := g.whole
	c.close = g.hold()
	return c
}

// leave lets go of what Paths was opened for; services that need it keep it open.
func (o Options) leave() {
	if o.letGo != nil {
		o.letGo()
	}
}

// farPath is the PATH or the -f that has to be opened to be known, or "": an address, or an archive. A Dockerfile in it
// that -f names is found without.
func (o Options) farPath() string {
	switch {
	case o.All || o.found != nil || o.opened != nil:
		return ""
	case o.File != "" && looksLikeProject(addressName(o.File)) && isFar(o.File):
		return o.File
	case len(o.Paths) == 0 || o.File != "" && !looksLikeProject(o.File):
		return ""
	case o.Paths[0] == stdinName && o.File == "" || isFar(o.Paths[0]) || isArchiveFile(o.Paths[0]):
		return o.Paths[0]
	}
	return ""
}

// isArchiveFile says whether a name is that of an archive on this machine.
func isArchiveFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && !looksLikeProject(name) && isArchive(name)
}

// isFar says whether a name is an address, and no file of this machine.
func isFar(name string) bool {
	_, err := os.Stat(name)
	return err != nil && builder.IsRemote(name)
}

// addressName is the last word of an address without its query.
func addressName(address string) string {
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		return path.Base(u.Path)
	}
	return path.Base(address)
}

// open opens what Paths or File name, where that is no folder and no file of this machine. The caller calls leave.
func (o Options) open(ctx context.Context) (Options, error) {
	from := o.farPath()
	if from == "" {
		return o, nil
	}
	plain, _ := o.distrusting()
	plain.Push, plain.Outputs, plain.Tags, plain.IIDFile, plain.MetadataFile = false, nil, nil, "", "" // of which more is known with the project
	r, err := plain.checkFlags()
	if err != nil {
		return o, nil // which is told with all that is wrong on the command line
	}
	host, err := o.host(ctx)
	if err != nil {
		return o, err
	}
	whole, err := r.openPath(ctx, from, host)
	if err != nil {
		return o, err
	}
	g := &farRoot{path: from, shown: whole.from, whole: whole}
	if name := addressName(from); whole.Fetched != nil && whole.Fetched.Dockerfile != "" && looksLikeProject(name) {
		g.lone = name
		g.whole.tree = named{whole.tree, name, whole.Fetched.Dockerfile}
	}
	o.opened, o.letGo = g, g.hold()
	return o, nil
}

// named is a tree of one file, under another name.
type named struct {
	fs.FS
	name, is string
}

// Open opens it.
func (n named) Open(name string) (fs.File, error) {
	if name != n.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return n.FS.Open(n.is)
}

// project finds the files of a project in it: -f, or what a folder is looked through for. A Dockerfile in its root goes
// before them, as in a folder. names are the other arguments.
func (g *farRoot) project(o Options) (found find.Found, names []string, err error) {
	if names = o.Paths; o.File != g.path {
		names = names[1:]
	}
	at := files{g.whole.tree}
	file := g.lone
	switch {
	case g.lone != "" && o.File != "" && o.File != g.path:
		return found, nil, &wrong.Usage{fmt.Errorf("%s is one file, so there is no %s in it", g.shown, o.File), "leave -f out, or give the address of the repository"}
	case g.lone != "":
	case o.File != "":
		file = filepath.Clean(o.File)
	case slices.ContainsFunc(dockerfileNames, at.isFile):
		return found, nil, nil
	default:
		return find.InTree(g.whole.tree), names, nil
	}
	if !at.isFile(file) {
		hint := "name one that is there"
		if in := find.InTree(g.whole.tree); len(in.Files) > 0 {
			hint = o.thereIs(file, in)
		}
		return found, nil, &wrong.Usage{fmt.Errorf("%s: there is no %s in it", g.shown, o.File), hint}
	}
	data, err := plainfile.ReadFS(g.whole.tree, filepath.ToSlash(file), maxOptional)
	if odd := new(plainfile.Error); errors.As(err, &odd) {
		return found, nil, &wrong.File{fmt.Errorf("%s cannot be read: %w", g.file(file), err), "name the compose or bake file itself: it may have 4 MB"}
	}
	if err != nil {
		return found, nil, &wrong.Read{What: g.file(file), Err: err}
	}
	kind := find.Content(file, data)
	if kind == find.Dockerfile || kind == find.None {
		if o.File == g.path || len(o.MoreFiles) > 0 {
			return found, nil, &wrong.Usage{fmt.Errorf("-f %s is no compose or bake file", g.shown), "give it as PATH, if it is a Dockerfile"}
		}
		return found, nil, nil
	}
	return find.Found{Kind: kind, Files: append([]string{file}, o.MoreFiles...)}, names, nil
}

// file is how messages call a file in it: as Git does, https://HOST/REPO.git#REF:FILE.
func (g *farRoot) file(name string) string {
	if g.lone != "" {
		return g.shown
	}
	_, fragment, _ := strings.Cut(g.shown, "#")
	if g.whole.Fetched != nil && strings.Contains(fragment, ":") {
		return strings.TrimSuffix(g.shown, "/") + "/" + filepath.ToSlash(name)
	}
	return g.shown + ":" + filepath.ToSlash(name)
}

// pinned is its PATH for a later run: the same commit, if that is known.
func (g *farRoot) pinned() string {
	if fetched := g.whole.Fetched; fetched != nil && fetched.Git && fetched.Pin != "" {
		return fetched.Below("", fetched.Pin)
	}
	return g.path
}

// note says in the plan where the project was read.
func (g *farRoot) note(names []string) string {
	text := "the project is read from " + g.shown
	if g.whole.Fetched != nil && g.whole.Fetched.Pin != "" {
		text += " at " + g.whole.Fetched.Pin
	}
	if g.lone != "" {
		return text
	}
	return text + ": " + strings.Join(names, ", ")
}

// sub is the context of an image of the project: a folder of it.
func (g *farRoot) sub(folder string) (buildContext, error) {
	c := g.whole
	c.whole, c.at, c.name, c.close = &g.whole, path.Clean(filepath.ToSlash(folder)), serviceName(folder), func() {}
	var err error
	switch {
	case c.Fetched != nil:
		if c.Fetched, err = c.Fetched.Sub(c.at); err == nil {
			c.tree, c.from = c.Fetched.Files, c.Fetched.Shown()
		}
	case c.Archive != nil:
		if c.Archive, err = c.Archive.Sub(c.at); err == nil {
			c.tree = c.Archive.Files()
		}
	}
	if err != nil {
		return buildContext{}, err
	}
	c.close = g.hold()
	return c, nil
}

// openIn opens the context of an image of a project that is no folder: nothing of this machine is one.
func (r run) openIn(context string) (buildContext, error) {
	c, err := r.found.origin.sub(context)
	if errors.Is(err, fs.ErrNotExist) {
		err = inTarget(*r.of, "context", &wrong.File{fmt.Errorf("%s: there is no folder %s in it", r.found.origin.shown, context), "name one that is there: paths start from the root of what was fetched, those of a compose file from its folder"})
	}
	return c, err
}
