package lint

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// making is what a stage, and those that it starts from, are known to make: as far as
// commands are known by their names, and no further.
type making struct {
	dir      string
	products []product
	copies   []copied
	// named are the paths that commands name, in whatever way.
	named []string
	// aware tells that the target's platform is in sight of commands, by an ARG or a tool.
	aware bool
	// wrapped tells that another image was laid over the stage: its commands may be others.
	wrapped bool
	// carved tells that a script of somebody else's was run, ran that anything was, goarch
	// that go was told its target for all that follows.
	carved, ran, goarch bool
}

// product is something that was made for a machine.
type product struct {
	// path is a file, or the folder that it is in.
	path string
	// what made it, and in which line.
	what string
	line int
	// loose tells that the file's name is not known: it lies in path.
	loose bool
	// targeted tells that it was told for which machine, or may have been.
	targeted bool
	// modules are those of npm and pip, which may be programs; bin is what make has made;
	// system is what the stage's image or its packages had.
	modules, bin, system bool
	// static tells that it needs no library.
	static bool
}

// copied is a COPY or ADD.
type copied struct {
	line    int
	sources []string
	dest    string
	// folder tells that dest is one that the sources lie in.
	folder bool
	// stage that it copies from, or -1; image tells that it copies from an image.
	stage int
	image bool
}

// walked is the file as package script reads it.
func (s *subject) walked() *script.File {
	if s.read == nil {
		file := script.Walk(s.Template, script.Options{Given: s.given})
		s.read = &file
	}
	return s.read
}

// making of a stage.
func (s *subject) making(stage int) *making {
	if m, ok := s.made[stage]; ok {
		return m
	}
	if s.made == nil {
		s.made = map[int]*making{}
	}
	m := &making{dir: "/"}
	s.made[stage] = m // a file that names itself ends here
	if ref := s.Template.References[s.Template.Stages[stage].Base]; ref.Kind == template.StageKind && ref.Target >= 0 && ref.Target < stage {
		before := *s.making(ref.Target)
		before.products, before.copies, before.named = slices.Clone(before.products), slices.Clone(before.copies), slices.Clone(before.named)
		*m = before
	}
	for _, in := range s.walked().Stages[stage].Instructions {
		if !in.Trigger {
			m.instruction(s, in)
		}
	}
	return m
}

// instruction notes what one instruction does.
func (m *making) instruction(s *subject, in script.Instruction) {
	switch c := in.Command.(type) {
	case *instructions.WorkdirCommand:
		if len(in.Words) > 0 {
			m.dir = m.abs(in.Words[0].Text, m.dir)
		}
	case *instructions.ArgCommand:
		for _, pair := range in.Pairs {
			m.aware = m.aware || slices.Contains(ofTarget[:3], pair.Name)
		}
	case *instructions.CopyCommand:
		m.copy(s, in, c.From)
	case *instructions.AddCommand:
		m.copy(s, in, "")
	case *instructions.RunCommand:
		m.run(in)
	}
}

// abs is a path of the image; one that depends on what is not known stays as it is written.
func (m *making) abs(name, dir string) string {
	name = strings.Trim(name, `"'`)
	for _, home := range []string{"~/", "${HOME}/", "$HOME/"} {
		if rest, ok := strings.CutPrefix(name, home); ok {
			name = "/root/" + rest
		}
	}
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// copy notes a COPY or ADD.
func (m *making) copy(s *subject, in script.Instruction, from string) {
	if len(in.Words) < 2 {
		return
	}
	dest := in.Words[len(in.Words)-1].Text
	c := copied{line: in.Line, stage: -1, dest: m.abs(dest, m.dir), folder: strings.HasSuffix(dest, "/") || len(in.Words) > 2 || path.Clean(dest) == "."}
	if from != "" {
		stage, ok := s.Template.Stage(from)
		c.image = !ok
		if ok {
			c.stage = stage
		}
	}
	for _, word := range in.Words[:len(in.Words)-1] {
		source := word.Text
		if from != "" {
			source = m.abs(source, "/")
		}
		c.sources = append(c.sources, source)
	}
	m.copies = append(m.copies, c)
	m.wrapped = m.wrapped || from != "" && c.dest == "/" && slices.Contains(c.sources, "/")
	if strings.Contains(strings.ToLower(from), "xx") {
		m.aware = true // tools that read TARGETPLATFORM by themselves
	}
}

// run notes what the commands of a RUN do.
func (m *making) run(in script.Instruction) {
	dir := m.dir
	m.ran = true
	loose := in.Script.Plain || in.Script.Foreign
	for _, c := range in.Script.Commands {
		if c.Name == "cd" || c.Name == "pushd" {
			if len(c.Args) > 0 {
				dir = m.abs(c.Args[0].Text, dir)
			}
			continue
		}
		if slices.Contains([]string{"source", ".", "eval"}, c.Name) {
			loose = true // it may set anything
		}
		w := &working{making: m, Command: c, dir: dir, loose: loose}
		w.note()
	}
}

// working is one command while it is looked at.
type working struct {
	*making
	script.Command
	dir string
	// loose tells that variables may have been set where nobody sees it.
	loose bool
}

// note notes what a command does.
func (w *working) note() {
	known := slices.Contains([]string{"mvnw", "gradlew", "configure"}, w.Name)
	if strings.HasPrefix(w.First.Text, "./") && !known || strings.HasSuffix(w.Name, ".sh") || w.Name == "sh" || w.Name == "bash" {
		w.carved = true
	}
	switch w.Name {
	case "cp", "mv", "install", "ln", "rsync":
		w.carry()
	case "tar", "zip", "bsdtar":
		w.pack()
	case "rm":
		w.remove()
	default:
		w.makes()
	}
	const most = 5000
	for _, arg := range append(texts(w.Args), texts(w.Into)...) {
		if len(w.named) > most {
			return
		}
		for _, part := range strings.FieldsFunc(arg, func(r rune) bool { return r == '=' || r == ':' || r == ',' }) {
			if strings.HasPrefix(part, "/") || strings.Contains(part, "/") && !strings.Contains(part, "://") {
				w.named = append(w.named, w.abs(part, w.dir))
			}
		}
		if !strings.Contains(arg, "/") && slices.Contains([]string{"cp", "mv", "install", "tar", "unzip"}, w.Name) {
			w.named = append(w.named, w.abs(arg, w.dir))
		}
	}
}

// set tells whether a variable is set for the command.
func (w *working) set(names ...string) bool {
	known := w.Vars.Names()
	return w.loose || slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(known, name) || slices.ContainsFunc(w.Assigns, func(a script.Assign) bool { return a.Name == name })
	})
}

// value is that of a variable, as far as it is known.
func (w *working) value(name string) string {
	for _, a := range w.Assigns {
		if a.Name == name {
			return a.Value.Text
		}
	}
	text, _ := w.Vars.Value(name)
	return text
}

// varies tells whether a word of the command comes from the architecture, or from where
// nobody sees it.
func (w *working) varies() bool {
	return w.loose || w.Chosen || slices.ContainsFunc(w.Args, func(a script.Word) bool { return a.Varying || strings.Contains(a.Text, "$") })
}

// option is the value of an option: -o VALUE, -oVALUE, --out VALUE or --out=VALUE.
func (w *working) option(names ...string) (string, bool) {
	args := texts(w.Args)
	for i, arg := range args {
		for _, name := range names {
			switch {
			case arg == name && i+1 < len(args):
				return args[i+1], true
			case strings.HasPrefix(arg, name+"="):
				return arg[len(name)+1:], true
			case len(name) == 2 && strings.HasPrefix(arg, name) && len(arg) > 2 && !strings.HasPrefix(arg, "--"):
				return arg[2:], true
			}
		}
	}
	return "", false
}

// has tells whether one of some words is among the arguments, or begins one that has an =.
func (w *working) has(names ...string) bool {
	return slices.ContainsFunc(w.Args, func(a script.Word) bool {
		word, _, _ := strings.Cut(a.Text, "=")
		return slices.Contains(names, word)
	})
}

// operands are the arguments that are no options.
func (w *working) operands(takes ...string) []string {
	var list []string
	args := texts(w.Args)
	for i := 0; i < len(args); i++ {
		switch {
		case slices.Contains(takes, args[i]):
			i++
		case !strings.HasPrefix(args[i], "-"):
			list = append(list, args[i])
		}
	}
	return list
}

// programFolders are those in which commands are looked for.
var programFolders = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}

// below tells whether a path is a folder, or lies in it.
func below(name, folder string) bool {
	return name == folder || folder == "/" || strings.HasPrefix(name, folder+"/")
}

// overlap tells whether who takes a path takes a product.
func overlap(p product, taken string) bool {
	taken, pattern := unglobbed(taken)
	switch {
	case below(p.path, taken):
		return true
	case p.loose:
		if path.Dir(taken) != p.path && !(pattern && taken == p.path) {
			return false
		}
		return path.Ext(taken) == "" || path.Ext(taken) == ".so"
	}
	return below(taken, p.path)
}

// unglobbed is the folder that a pattern looks in, or the path itself when it is none.
func unglobbed(name string) (string, bool) {
	if i := strings.IndexAny(name, "*?["); i >= 0 {
		return path.Dir(name[:i] + "x"), true
	}
	return name, false
}
