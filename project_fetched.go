package archbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/bake"
	"github.com/archbuild/archbuild/project/compose"
	"github.com/archbuild/archbuild/wrong"
)

// Whoever wrote a definition that was fetched is not whoever runs it. It says what is built, of what was fetched with it
// or lies at other addresses. What it would take from this machine, or have written and pushed, is an error with its
// place in the file, unless the command line says the same: --secret, --ssh, -o, --push, --cache-to.

// located is a project of an origin with its places as the user would look for them. near are files of this machine.
func (g *farRoot) located(p project.Project, near []string) project.Project {
	at := func(p project.Place) project.Place {
		if p.File != "" {
			p.File = g.file(p.File)
		}
		return p
	}
	for i, t := range p.Targets {
		t.At, t.Places, t.Contexts, t.Needs = at(t.At), maps.Clone(t.Places), slices.Clone(t.Contexts), slices.Clone(t.Needs)
		for key, place := range t.Places {
			t.Places[key] = at(place)
		}
		for k := range t.Contexts {
			t.Contexts[k].At = at(t.Contexts[k].At)
		}
		for k := range t.Needs {
			t.Needs[k].At = at(t.Needs[k].At)
		}
		t.Broken = g.mislocated(t.Broken, near, nil)
		p.Targets[i] = t
	}
	for i := range p.Groups {
		p.Groups[i].At = at(p.Groups[i].At)
	}
	for i := range p.Images {
		p.Images[i].At = at(p.Images[i].At)
	}
	names := slices.Clone(p.Files)
	p.Files = nil
	for _, name := range names {
		p.Files = append(p.Files, g.file(name))
	}
	p.Notes = append([]string{g.note(names)}, p.Notes...)
	return p
}

// mislocated are errors of reading such a project, with places as the user would look for them. near are files of
// this machine, and names those of the project.
func (g *farRoot) mislocated(err error, near, names []string) error {
	var each []error
	for _, e := range leaves(err) {
		ofCompose, inBake := new(compose.Error), new(bake.Error)
		switch { // an error may be that of several targets, so it stays as it is
		case errors.As(e, &ofCompose) && !slices.Contains(near, ofCompose.File):
			moved := *ofCompose
			if name, _, _ := strings.Cut(moved.Text, ": "); moved.File == "" && slices.Contains(names, name) {
				moved.Text = g.file(name) + strings.TrimPrefix(moved.Text, name)
			} else if moved.File != "" {
				moved.File = g.file(moved.File)
			}
			e = &moved
		case errors.As(e, &inBake) && inBake.Place.File != "":
			moved := *inBake
			moved.Place.File = g.file(moved.Place.File)
			e = &moved
		}
		each = append(each, e)
	}
	return errors.Join(each...)
}

// fetchedTarget is a target of a definition that was fetched, as it can be built: its own folders are addresses, and
// there is nothing of this machine in it.
type fetchedTarget struct {
	project.Target
	run    run
	from   *farRoot
	failed []error
}

// adapted is a target as it can be built where its definition was fetched.
func (r run) adapted(t project.Target) (project.Target, error) {
	f := fetchedTarget{Target: t, run: r, from: r.found.origin}
	f.checkContext()
	f.takeContexts()
	f.checkTokens()
	f.dropSecrets()
	f.checkOutputs()
	f.checkCaches()
	f.Args, f.Labels = valued(f.Args), valued(f.Labels)
	return f.Target, errors.Join(f.failed...)
}

// valued are those that have a value: others would be the environment's.
func valued(values map[string]*string) map[string]*string {
	values = maps.Clone(values)
	maps.DeleteFunc(values, func(_ string, value *string) bool { return value == nil })
	return values
}

// outsideHint is what to do with a definition that needs what is not there.
const outsideHint = "have the file name a folder beside it, or an address; or get it into a folder, look at it, and build that"

func (f *fetchedTarget) refuse(at project.Place, hint, format string, args ...any) {
	f.failed = append(f.failed, &TargetError{f.Name, at, &wrong.File{fmt.Errorf(format, args...), hint}})
}

// inside looks whether a path lies within what was fetched. what is what it is to the target.
func (f *fetchedTarget) inside(at project.Place, what, name string) bool {
	switch clean := path.Clean(filepath.ToSlash(name)); {
	case strings.Contains(name, "://"):
		scheme, _, _ := strings.Cut(name, "://")
		f.refuse(at, outsideHint, "%s is %s: what is of kind %s:// is not fetched", what, builder.Remote{Address: name}.Shown(), scheme)
	case f.from.lone != "":
		f.refuse(at, "have the file name an address; or give archbuild that of the whole repository", "%s is %s, and beside one file at an address lies nothing", what, name)
	case !filepath.IsLocal(clean):
		hint := outsideHint
		if _, fragment, _ := strings.Cut(f.from.shown, "#"); strings.Contains(fragment, ":") {
			hint = "give the address of the whole repository, without its folder, and the file with -f"
		}
		f.refuse(at, hint, "%s, %s, lies outside of %s", what, name, f.from.shown)
	case leadsOut(f.from.whole.tree, clean):
		f.refuse(at, outsideHint, "%s, %s, is a symbolic link that leads out of %s", what, name, f.from.shown)
	default:
		return true
	}
	return false
}

// leadsOut says whether a link on the way to a file leads out of its tree. Nothing follows it there: this is for the message.
func leadsOut(tree fs.FS, name string) bool {
	const most = 40
	for links, i := 0, 0; links < most; i++ {
		words := strings.Split(name, "/")
		if i >= len(words) {
			return false
		}
		at := path.Join(words[:i+1]...)
		to, err := fs.ReadLink(tree, at)
		if err != nil {
			continue
		}
		if links++; path.IsAbs(to) {
			return true
		}
		if name = path.Join(path.Dir(at), to, path.Join(words[i+1:]...)); !filepath.IsLocal(name) {
			return true
		}
		i = -1
	}
	return false
}

// checkContext looks whether the context and the Dockerfile are there to be had.
func (f *fetchedTarget) checkContext() {
	if f.Dockerfile == stdinName && f.Inline == "" {
		f.refuse(f.Place("dockerfile"), "name a file", "its Dockerfile comes from standard input, and a file that was fetched is not leave enough")
	}
	remote := builder.IsRemote(f.Context)
	if remote {
		f.checkKeys(f.Place("context"), "its context", f.Context)
	}
	if !remote && !f.inside(f.Place("context"), "its context", f.Context) {
		return
	}
	switch {
	case f.Dockerfile == "" || f.Inline != "":
	case remote && filepath.IsLocal(f.Dockerfile):
	case remote || path.IsAbs(f.Dockerfile):
		f.refuse(f.Place("dockerfile"), outsideHint, "its Dockerfile, %s, lies outside of its context", f.Dockerfile)
	default:
		f.inside(f.Place("dockerfile"), "its Dockerfile", f.file())
	}
}

// file is the Dockerfile of a target as -f has it: within what was fetched, where the context is.
func (f fetchedTarget) file() string {
	if f.Dockerfile == "" || f.Inline != "" || builder.IsRemote(f.Context) {
		return f.Dockerfile
	}
	return path.Join(filepath.ToSlash(f.Context), filepath.ToSlash(f.Dockerfile))
}

// takeContexts makes addresses of the folders among the named contexts: the same commit's.
func (f *fetchedTarget) takeContexts() {
	f.Contexts = slices.Clone(f.Contexts)
	for i, c := range f.Contexts {
		what := "the context " + c.Name
		if strings.Contains(c.Name, "=") { // and another value would begin there
			f.refuse(c.At, "name it as FROM or COPY --from does", "%s is no name of a context", c.Name)
			continue
		}
		if rest, ok := strings.CutPrefix(c.Value, "github.com/"); ok { // which could be a folder as well
			f.Contexts[i].Value = "https://github.com/" + rest
			continue
		}
		if _, err := os.Stat(c.Value); err == nil && builder.IsRemote(c.Value) {
			f.refuse(c.At, "write the address with its scheme, ssh://", "%s, %s, is a folder of this machine too", what, c.Value)
			continue
		}
		f.checkKeys(c.At, what, c.Value)
		if targetOf(c.Value) != "" || isFetched(c.Value) || !f.inside(c.At, what, c.Value) {
			continue
		}
		fetched := f.from.whole.Fetched
		info, err := fs.Stat(f.from.whole.tree, path.Clean(filepath.ToSlash(c.Value)))
		switch {
		case err != nil || !info.IsDir():
			f.refuse(c.At, "name one that is there", "%s: %s has no folder %s", what, f.from.shown, c.Value)
		case fetched == nil || !fetched.Git:
			f.refuse(c.At, "unpack it, and build the folder", "%s is a folder of an archive, which a build cannot be told of", what)
		default:
			f.Contexts[i].Value = fetched.Below(path.Clean(filepath.ToSlash(c.Value)), fetched.Pin)
		}
	}
}

// checkTokens refuses repositories at other hosts, where the user gives a token that BuildKit would show to any host.
func (f *fetchedTarget) checkTokens() {
	i := slices.IndexFunc(f.run.secrets, func(s builder.Secret) bool { return s.ID == "GIT_AUTH_TOKEN" || s.ID == "GIT_AUTH_HEADER" })
	if i < 0 {
		return
	}
	id := f.run.secrets[i].ID
	own := builder.Remote{Address: f.from.path}.GitHost()
	check := func(at project.Place, what, address string) {
		if host := (builder.Remote{Address: address}).GitHost(); host != "" && host != own {
			f.refuse(at, "give the token for the one host that it is for: --secret id="+id+".HOST,…", "%s lies at %s, which would be shown the secret %s too", what, host, id)
		}
	}
	check(f.Place("context"), "its context", f.Context)
	for _, c := range f.Contexts {
		check(c.At, "the context "+c.Name, c.Value)
	}
}

// checkKeys refuses an address that is reached with the user's ssh keys, unless the definition was reached at that host so.
func (f *fetchedTarget) checkKeys(at project.Place, what, address string) {
	host := builder.Remote{Address: address}.SSHHost()
	if host == "" || len(f.run.Options.SSH) > 0 || host == (builder.Remote{Address: f.from.path}).SSHHost() {
		return
	}
	f.refuse(at, "lend them yourself, if they may be used there: --ssh default; or have the file name an address with https://", "%s, %s, is reached with your ssh keys, and a file that was fetched is not leave enough", what, builder.Remote{Address: address}.Shown())
}

// dropSecrets refuses secrets and keys that the command line does not give.
func (f *fetchedTarget) dropSecrets() {
	for _, text := range withoutIDs(f.Secrets, f.run.Options.Secrets) {
		id := "ID"
		if one, err := parseSecrets([]string{text}); err == nil {
			id = one[0].ID
		}
		f.refuse(f.Place("secret"), "give it yourself, if the build may have it: --secret id="+id+",src=FILE", "it takes the secret %s from this machine, and a file that was fetched is not leave enough", id)
	}
	for _, text := range f.SSH {
		id, _, _ := strings.Cut(text, "=")
		given := slices.ContainsFunc(f.run.Options.SSH, func(flag string) bool { name, _, _ := strings.Cut(flag, "="); return name == id })
		if !given {
			f.refuse(f.Place("ssh"), "lend it yourself, if the build may have it: --ssh "+id, "it takes your ssh keys, and a file that was fetched is not leave enough")
		}
	}
	f.Secrets, f.SSH = nil, nil
}

// checkOutputs refuses what would be written and pushed by the file's word alone.
func (f *fetchedTarget) checkOutputs() {
	if len(f.run.Options.Outputs) > 0 || !f.run.found.wants(f.Name) {
		return
	}
	outputs, _ := manifest.ParseOutputs(f.Outputs) // what is wrong with them is told where they are read
	said := f.run.setPaths()
	for _, out := range outputs {
		allowed := out.Type == manifest.TypeCacheOnly || out.Push && f.run.Push || out.Loads() && out.Context == "" && f.run.Load || out.Dest != "" && slices.Contains(said, out.Dest)
		if !allowed {
			f.refuse(f.Place("output"), "say yourself where the image goes: --push, --load or -o; -o type=cacheonly leaves it where it is", "it delivers to %s, and a file that was fetched is not leave enough", out)
		}
	}
}

// checkCaches refuses caches on this machine, and to write any.
func (f *fetchedTarget) checkCaches() {
	if len(f.run.CacheTo) == 0 {
		caches, _ := f.run.parseCaches(cacheToFlag, f.CacheTo)
		for _, c := range caches {
			if c.Type != builder.CacheInline {
				f.refuse(f.Place("cache-to"), "say yourself where a cache goes: --cache-to", "it writes a cache of type %s, and a file that was fetched is not leave enough", c.Type)
			}
		}
	}
	if len(f.run.CacheFrom) == 0 {
		caches, _ := f.run.parseCaches(cacheFromFlag, f.CacheFrom)
		for _, c := range caches {
			if c.Type != builder.CacheRegistry {
				f.refuse(f.Place("cache-from"), "say yourself which cache is read: --cache-from", "it reads a cache of type %s, and a file that was fetched is not leave enough", c.Type)
			}
		}
	}
}
