package verify

import (
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/internal/program"
	"github.com/archbuild/archbuild/platform"
)

// defaultPath is PATH where the image's config has none; runtimes agree on it.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// libraryFolders are where the dynamic linkers of the usual distributions look.
var libraryFolders = []string{
	"/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32",
	"/usr/local/lib", "/usr/local/lib64",
}

// wrappers are programs that start the one named after them.
var wrappers = []string{"tini", "tini-static", "dumb-init", "catatonit", "docker-init", "env", "exec", "nice"}

var shells = []string{"sh", "bash", "ash", "dash", "zsh"}

// starts lists the programs that a config starts, as it names them, each with
// the reason. The arguments of an entrypoint are not among them: they may be
// data (an emulator's program), the words of CMD are taken for a program.
func starts(config v1.Config) map[string]string {
	names := map[string]string{}
	for _, s := range []struct {
		argv []string
		why  string
	}{{config.Cmd, "the image's command"}, {config.Entrypoint, "the entrypoint"}} {
		for _, name := range started(s.argv) {
			names[name] = s.why
		}
	}
	return names
}

// started finds the programs in a command: the first word, and behind a shell's
// -c or a wrapper the one it starts.
func started(argv []string) []string {
	var names []string
	for range 4 {
		if len(argv) == 0 || argv[0] == "" {
			break
		}
		names = append(names, argv[0])
		base := path.Base(argv[0])
		switch {
		case slices.Contains(shells, base) && len(argv) > 2 && strings.HasPrefix(argv[1], "-") && strings.HasSuffix(argv[1], "c"):
			argv = firstCommand(argv[2])
		case slices.Contains(wrappers, base):
			argv = wrapped(argv[1:])
		default:
			return names
		}
	}
	return names
}

// firstCommand reads the first simple command of a shell line, as long as it is
// nothing but plain words; else nothing is known.
func firstCommand(line string) []string {
	words := strings.Fields(line)
	for len(words) > 0 && (words[0] == "exec" || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 || strings.ContainsAny(words[0], "$`'\"\\;&|<>(){}*?[]~!#") {
		return nil
	}
	return words[:1]
}

// wrapped skips a wrapper's options: all up to "--", else the words with a dash
// and assignments.
func wrapped(argv []string) []string {
	if i := slices.Index(argv, "--"); i >= 0 {
		return argv[i+1:]
	}
	for len(argv) > 0 && (strings.HasPrefix(argv[0], "-") || strings.Contains(argv[0], "=")) {
		argv = argv[1:]
	}
	return argv
}

// places tells why a path matters: files there are sure to be used.
type places struct {
	want    platform.Platform
	workdir string
	path    []string
	library []string
	// roles are the paths that the image starts.
	roles map[string]string
	// open is set when what the image starts leads into an unread base.
	open bool
}

func newPlaces(config v1.Config, want platform.Platform) *places {
	p := &places{want: want, workdir: absolute(config.WorkingDir, "/"), library: libraryFolders, roles: map[string]string{}}
	search := defaultPath
	if want.OS == "windows" {
		p.library, search = nil, "/Windows/System32:/Windows"
	}
	for _, env := range config.Env {
		name, value, _ := strings.Cut(env, "=")
		switch {
		case want.OS == "windows":
		case name == "PATH":
			search = value
		case name == "LD_LIBRARY_PATH":
			p.library = append(slices.Clone(p.library), folders(value)...)
		}
	}
	p.path = folders(search)
	return p
}

// folders splits a search path; only absolute folders are kept.
func folders(list string) []string {
	var dirs []string
	for _, dir := range strings.Split(list, ":") {
		if path.IsAbs(dir) {
			dirs = append(dirs, path.Clean(dir))
		}
	}
	return dirs
}

// settle finds in the tree what the config's names lead to.
func (p *places) settle(t *tree, config v1.Config) {
	p.open = false
	clear(p.roles)
	for _, dirs := range []*[]string{&p.path, &p.library} {
		for _, dir := range *dirs {
			if _, real := t.lookup(dir); !slices.Contains(*dirs, real) {
				*dirs = append(slices.Clip(*dirs), real)
			}
		}
	}
	for name, why := range starts(config) {
		p.start(t, name, why, 0)
	}
}

// start follows one name. Files of the base that it leads to directly are the
// base's matter; those that an added link leads to are this image's.
func (p *places) start(t *tree, name, why string, depth int) {
	for _, candidate := range p.candidates(name) {
		w := t.walk(candidate)
		p.open = p.open || (w.overAdded && !w.found())
		if !w.found() || !w.node.file {
			continue
		}
		if !w.node.added && !w.overAdded {
			return
		}
		if old, ok := p.roles[w.at]; !ok || why < old {
			p.roles[w.at] = why
		}
		if g := w.node.program; g != nil && g.Format == program.Script && depth < 4 {
			for _, interpreter := range started(g.Interpreter) {
				p.start(t, interpreter, "the interpreter of "+w.at, depth+1)
			}
		}
		return
	}
}

// candidates are the paths a name may stand for, in the order they are tried.
func (p *places) candidates(name string) []string {
	if p.want.OS == "windows" {
		name = strings.ReplaceAll(name, `\`, "/")
		if len(name) > 1 && name[1] == ':' {
			name = name[2:]
		}
	}
	var list []string
	if strings.Contains(name, "/") {
		list = []string{absolute(name, p.workdir)}
	} else {
		for _, dir := range p.path {
			list = append(list, path.Join(dir, name))
		}
	}
	if p.want.OS == "windows" && path.Ext(name) == "" {
		for _, candidate := range slices.Clone(list) {
			list = append(list, candidate+".exe")
		}
	}
	return list
}

// absolute does not resolve "..": what comes before it may be a link.
func absolute(name, workdir string) string {
	if !path.IsAbs(name) {
		name = workdir + "/" + name
	}
	return name
}

// why tells what makes a path matter, or "" when nothing does.
func (p *places) why(name string) string {
	if why := p.roles[name]; why != "" {
		return why
	}
	dir := path.Dir(name)
	switch {
	case slices.Contains(p.path, dir):
		return "in a folder of PATH"
	case slices.Contains(p.library, dir):
		return "in a library folder"
	case slices.Contains(p.library, path.Dir(dir)) && program.OwnTriplet(path.Base(dir), p.want.Arch):
		return "in a library folder"
	}
	return ""
}
