package cross

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// commandFolders hold the programs of the base image.
var commandFolders = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/go", "/lib", "/lib64", "/usr/lib", "/usr/libexec"}

// copy looks at a COPY.
func (w *walk) copy(c *instructions.CopyCommand) {
	dest := w.expand(c.DestPath)
	for _, doc := range c.SourceContents {
		w.enter(w.under(dest, doc.Path, len(c.SourcePaths) > 0 || len(c.SourceContents) > 1))
	}
	sources := make([]string, len(c.SourcePaths))
	for i, text := range c.SourcePaths {
		sources[i] = w.expand(text)
	}
	many := len(sources)+len(c.SourceContents) > 1
	if c.From == "" {
		for _, source := range sources {
			w.fromContext(source, dest, many, c.Parents)
		}
		return
	}
	kind, stage := w.source(c.From)
	switch {
	case kind == template.StageKind && w.moves(stage) && w.walks[stage] != nil:
		for _, source := range sources {
			w.fromStage(w.walks[stage], source, dest, many)
		}
	case w.moves(w.stage):
		for _, source := range sources {
			if !isSame(path.Clean("/" + source)) {
				w.stay(TargetProgramsEnter, w.line, "%s of %s comes in, which is the target's", source, c.From)
			}
		}
	}
}

// source finds what a COPY --from or a mount of the stage names.
func (w *walk) source(text string) (template.Kind, int) {
	from, to := w.Template.ReferencesIn(w.stage)
	for i := from + 1; i < to; i++ {
		if ref := &w.Template.References[i]; ref.Text == text && !strings.HasPrefix(ref.Where, "ONBUILD") {
			if use := &w.uses[i]; use.Kind == template.StageKind {
				return use.Kind, use.Target
			}
			return ref.Kind, -1
		}
	}
	return template.External, -1
}

// under is where a file of some name goes when it is copied to a destination.
func (w *walk) under(dest, name string, many bool) string {
	to := w.state.abs(dest)
	if to == "" {
		return ""
	}
	if many || strings.HasSuffix(dest, "/") || dest == "." || strings.HasSuffix(dest, "/.") {
		return path.Join(to, path.Base(name))
	}
	return to
}

// enter notes a file that comes from the Dockerfile, the context or the network.
func (w *walk) enter(name string) {
	if name == "" {
		w.stay(UnknownCommand, w.line, "where files go is not known")
		return
	}
	if belowAny(path.Dir(name), commandFolders) || slices.Contains(commandFolders, name) {
		w.stay(UnknownCommand, w.line, "files come in among the commands of the base: %s", name)
	}
	w.fact(fact{path: name})
}

// fromContext notes what a COPY brings from the context.
func (w *walk) fromContext(source, dest string, many, parents bool) {
	to := w.state.abs(dest)
	if to == "" || parents && !known(source) {
		w.stay(UnknownCommand, w.line, "where files go is not known")
		return
	}
	from := strings.TrimPrefix(path.Clean("/"+source), "/")
	if from == "" {
		from = "."
	}
	one := fact{path: to, seen: true, context: from}
	glob := strings.ContainsAny(from, "*?[")
	switch {
	case !known(from) || parents:
		one.seen = false
	case glob:
		one.context = path.Dir(from)
		one.seen = !strings.ContainsAny(one.context, "*?[")
	case w.isFile(from):
		one.path = w.under(dest, from, many)
	case w.Files == nil && (many || strings.HasSuffix(dest, "/")) && path.Ext(from) != "":
		one.path = w.under(dest, from, many)
	}
	if belowAny(one.path, commandFolders) || one.path == "/" && !w.isFile(from) {
		w.stay(UnknownCommand, w.line, "files of the context come in among the commands of the base: %s", one.path)
	}
	w.fact(one)
}

func (w *walk) isFile(name string) bool {
	if w.Files == nil {
		return false
	}
	_, ok := w.Files.Read(name)
	return ok
}

// fromStage takes over what is known of a path of a stage that moves as well.
func (w *walk) fromStage(other *walk, source, dest string, many bool) {
	from := path.Clean("/" + source)
	to := w.state.abs(dest)
	if to == "" || !known(source) || strings.ContainsAny(source, "*?[") {
		w.stay(OutputNotRecipe, w.line, "what %s brings is not known", source)
		return
	}
	if many || strings.HasSuffix(dest, "/") && other.isFileThere(from) {
		to = w.under(dest, from, true)
	}
	w.take(other, from, to)
}

// take copies the facts of a path to another one.
func (w *walk) take(other *walk, from, to string) {
	if other != w && (isSystem(to) || other.compiler) {
		w.compiler = true
	}
	if isSystem(from) && len(exact(other.facts, from)) == 0 && !isSame(from) {
		w.fact(fact{path: to, native: true, kind: TargetPackagesLeave})
		return
	}
	for _, f := range other.facts.at(from) {
		if f.seen {
			f.context = path.Join(f.context, strings.TrimPrefix(strings.TrimPrefix(from, f.path), "/"))
		}
		f.path = to
		w.fact(f)
	}
	for _, f := range other.facts.under(from) {
		f.path = path.Join(to, strings.TrimPrefix(f.path, from))
		w.fact(f)
	}
}

// isFileThere guesses whether a path is a file: a program of a recipe or a name with
// an extension.
func (w *walk) isFileThere(name string) bool {
	return path.Ext(name) != "" || slices.ContainsFunc(exact(w.facts, name), func(f fact) bool { return f.made != nil })
}

// exact gives the facts of a path itself.
func exact(list facts, name string) []fact {
	var out []fact
	for _, f := range list {
		if f.path == name {
			out = append(out, f)
		}
	}
	return out
}

// add looks at an ADD.
func (w *walk) add(c *instructions.AddCommand) {
	dest := w.expand(c.DestPath)
	many := len(c.SourcePaths)+len(c.SourceContents) > 1
	for _, doc := range c.SourceContents {
		w.enter(w.under(dest, doc.Path, many))
	}
	for _, text := range c.SourcePaths {
		source := w.expand(text)
		remote := strings.Contains(source, "://") || strings.HasPrefix(source, "git@")
		switch {
		case remote && namesArchitecture(source):
			w.stay(NamesArchitecture, w.line, "%s names an architecture", text)
			w.enter(w.under(dest, source, many))
		case remote:
			w.enter(w.under(dest, source, many))
		case strings.Contains(path.Base(source), ".t"): // an archive is unpacked
			to := w.state.abs(dest)
			if to == "" || isSystem(to) {
				w.stay(UnknownCommand, w.line, "an archive of the context is unpacked into the base: %s", source)
			}
			w.fact(fact{path: to})
		default:
			w.fromContext(source, dest, many, false)
		}
	}
}

// mountsOf reads the mounts of a RUN, their variables expanded.
func (w *walk) mountsOf(c *instructions.RunCommand) []*instructions.Mount {
	err := c.Expand(func(text string) (string, error) { return w.expand(text), nil })
	if err != nil {
		w.stay(UnknownCommand, w.line, "its mounts cannot be read: %v", err)
	}
	return instructions.GetMounts(c)
}

// mounts looks at the mounts of a RUN.
func (w *walk) mounts(c *instructions.RunCommand) {
	for _, m := range w.mountsOf(c) {
		target := w.state.abs(m.Target)
		switch {
		case m.Type == instructions.MountTypeCache:
			w.fact(fact{path: target, native: true, kind: OutputNotRecipe})
		case m.Type == instructions.MountTypeSecret, m.Type == instructions.MountTypeSSH, m.Type == instructions.MountTypeTmpfs:
		case m.From == "":
			w.fact(fact{path: target, seen: true, context: strings.TrimPrefix(path.Clean("/"+m.Source), "/")})
		default:
			w.mounted(m, target)
		}
	}
}

func (w *walk) mounted(m *instructions.Mount, target string) {
	kind, stage := w.source(m.From)
	switch {
	case kind == template.StageKind && w.moves(stage) && w.walks[stage] != nil:
		w.take(w.walks[stage], path.Clean("/"+m.Source), target)
	case kind == template.StageKind && w.onlyContext(stage):
		w.fact(fact{path: target})
	case w.moves(w.stage):
		w.stay(TargetProgramsEnter, w.line, "%s is mounted, which is the target's", m.From)
	}
}

// onlyContext tells whether a stage holds files of the context alone.
func (w *walk) onlyContext(stage int) bool {
	if w.uses[w.Template.Stages[stage].Base].Kind != template.Scratch {
		return false
	}
	return !slices.ContainsFunc(w.Template.Stages[stage].Copies, func(c template.Copy) bool { return c.From != "" || c.Instruction == "ADD" })
}
