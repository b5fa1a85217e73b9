package lint

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Copies are the COPY and ADD instructions that the wanted platforms take files of the
// context by, each once for all platforms for which it says the same. What contents.Look
// finds for them are Facts.Contents.
func Copies(facts Facts) []contents.Copy {
	s := &subject{Facts: facts}
	var list []contents.Copy
	for _, v := range s.views() {
		for _, c := range s.transfers(&v) {
			if c.from >= 0 || c.foreign || len(c.Sources) == 0 {
				continue
			}
			c.Final = slices.Contains(v.chain, c.Stage)
			i := slices.IndexFunc(list, func(other contents.Copy) bool { return same(other, c.Copy) })
			if i < 0 {
				i = len(list)
				list = append(list, c.Copy)
			}
			list[i].Platforms = append(list[i].Platforms, v.Platform)
		}
	}
	return list
}

// same tells whether two copies are one instruction that says the same.
func same(a, b contents.Copy) bool {
	return a.Line == b.Line && a.Stage == b.Stage && a.Dest == b.Dest && a.Final == b.Final && slices.Equal(a.Sources, b.Sources) && slices.Equal(a.Exclude, b.Exclude)
}

// transfer is a COPY or ADD as a platform sees it.
type transfer struct {
	contents.Copy
	// from is the stage that it copies from, or -1; foreign tells that it is an image.
	from    int
	foreign bool
}

// transfers are those of all stages that a platform's build needs.
func (s *subject) transfers(v *view) []transfer {
	var list []transfer
	scopes := make([]*scope, len(s.Template.Stages))
	for stage := range s.Template.Stages {
		w := s.newScope(v, stage, scopes)
		scopes[stage] = w
		for _, step := range s.steps(stage) {
			if t, ok := w.step(step); ok && v.needed[stage] {
				t.Line, t.Stage = step.Line, stage
				list = append(list, t)
			}
		}
	}
	return list
}

// scope is what a platform's build knows at some point of a stage.
type scope struct {
	*subject
	env     template.Env
	stage   int
	uses    []template.Use
	values  map[string]string
	workdir string
}

// newScope is where a stage begins: with what the stage has that it starts from.
func (s *subject) newScope(v *view, stage int, scopes []*scope) *scope {
	w := &scope{subject: s, stage: stage, uses: v.uses, values: map[string]string{}}
	w.env = template.Env{Target: v.Platform, Build: s.Build, Args: v.Args, TargetStage: v.Stage}
	switch use := v.base(s.Template, stage); {
	case use.Kind == template.StageKind && use.Target < stage:
		w.values, w.workdir = maps.Clone(scopes[use.Target].values), scopes[use.Target].workdir
	case use.Kind == template.Scratch:
		w.workdir = "/"
	}
	return w
}

// step takes in an instruction, and reports a copy.
func (w *scope) step(step template.Step) (transfer, bool) {
	switch c := step.Command.(type) {
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			w.argument(arg)
		}
	case *instructions.EnvCommand:
		before := maps.Clone(w.values)
		for _, kv := range c.Env {
			w.set(kv.Key, kv.Value, before)
		}
	case *instructions.WorkdirCommand:
		w.workdir = w.absolute(c.Path)
	case *instructions.CopyCommand:
		return w.copy(c.From, c.ExcludePatterns, c.Parents, false, c.SourcesAndDest), true
	case *instructions.AddCommand:
		unpack := c.Unpack == nil || *c.Unpack
		return w.copy("", c.ExcludePatterns, false, unpack, c.SourcesAndDest), true
	}
	return transfer{}, false
}

// argument sets an ARG as BuildKit does: what the user gives, its default, what an ARG before the
// first FROM or BuildKit itself gives.
func (w *scope) argument(arg instructions.KeyValuePairOptional) {
	if given, ok := w.env.Args[arg.Key]; ok {
		w.values[arg.Key] = given
		return
	}
	if arg.Value != nil {
		w.set(arg.Key, *arg.Value, w.values)
		return
	}
	if text, ok := w.Template.Global(w.env, arg.Key); ok {
		w.values[arg.Key] = text
	} else if text, ok := automatic(arg.Key, w.env); ok {
		w.values[arg.Key] = text
	} else if _, ok := w.values[arg.Key]; !ok {
		w.values[arg.Key] = ""
	}
}

// set gives a variable the value of a word; one that is not known stays so.
func (w *scope) set(name, word string, before map[string]string) {
	delete(w.values, name)
	if text, ok := w.Template.Expand(word, func(name string) (string, bool) { text, ok := before[name]; return text, ok }); ok {
		w.values[name] = text
	}
}

// automatic are the variables that BuildKit sets from the platforms.
func automatic(name string, env template.Env) (string, bool) {
	of, rest := env.Target, strings.TrimPrefix(name, "TARGET")
	if rest == name {
		of, rest = env.Build, strings.TrimPrefix(name, "BUILD")
	}
	if rest == name {
		return "", false
	}
	return part(of, rest)
}

func part(p platform.Platform, name string) (string, bool) {
	switch name {
	case "PLATFORM":
		return p.String(), true
	case "OS":
		return p.OS, true
	case "ARCH":
		return p.Arch, true
	case "VARIANT":
		return p.Variant, true
	}
	return "", false
}

// expand fills in the variables of a word. BuildKit reads a variable of its own that no
// ARG declares as empty.
func (w *scope) expand(word string) (string, bool) {
	return w.Template.Expand(word, func(name string) (string, bool) {
		if text, ok := w.values[name]; ok {
			return text, true
		}
		_, ok := automatic(name, w.env)
		return "", ok
	})
}

// absolute is a path of the stage, or empty where it is not known.
func (w *scope) absolute(word string) string {
	text, ok := w.expand(word)
	if !ok || text == "" || !path.IsAbs(text) && w.workdir == "" {
		return ""
	}
	if !path.IsAbs(text) {
		text = path.Join(w.workdir, text)
	}
	return path.Clean(text)
}

// copy reads a COPY or ADD. A source with a variable that nobody knows is left out.
func (w *scope) copy(from string, exclude []string, parents, unpack bool, files instructions.SourcesAndDest) transfer {
	t := transfer{from: -1}
	if from != "" {
		t.from, t.foreign = w.source(from)
	}
	t.Parents, t.Unpack = parents, unpack
	for _, word := range files.SourcePaths {
		if text, ok := w.expand(word); ok && !isAddress(text) {
			t.Sources = append(t.Sources, text)
		}
	}
	for _, word := range exclude {
		if text, ok := w.expand(word); ok {
			t.Exclude = append(t.Exclude, text)
		}
	}
	t.Dest = w.absolute(files.DestPath)
	last := path.Base("/" + files.DestPath)
	if t.Dest != "" && (strings.HasSuffix(files.DestPath, "/") || last == "." || last == ".." || len(files.SourceContents)+len(files.SourcePaths) > 1) {
		t.Dest = strings.TrimSuffix(t.Dest, "/") + "/"
	}
	return t
}

// source finds the stage that a COPY --from names.
func (w *scope) source(name string) (stage int, foreign bool) {
	from, to := w.Template.ReferencesIn(w.stage)
	for i := from + 1; i < to; i++ {
		if w.Template.References[i].Text == name && w.uses[i].Kind == template.StageKind {
			return w.uses[i].Target, false
		}
	}
	return -1, true
}

// isAddress tells sources of ADD that are no files of the context.
func isAddress(text string) bool {
	return strings.Contains(text, "://") || strings.HasPrefix(text, "git@") || strings.HasPrefix(text, "github.com/") && strings.HasSuffix(text, ".git")
}
