package script

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/template"
)

// Script is what a RUN does.
type Script struct {
	// Commands in order, those in $(…), in functions that are called and in sh -c included.
	Commands []Command
	// Plain tells that the script could not be read: Commands are its lines, split at blanks.
	Plain bool
	// Guards are comparisons that end the build on some machines.
	Guards []Guard
	// Foreign tells that another shell than sh or bash reads it: it has no Commands then.
	Foreign bool
}

// Command is one simple command.
type Command struct {
	// Name is the command, evaluated, without its folder: "curl". It is empty where there
	// are only assignments. What stands before it to run it (sudo, env, time) is gone.
	Name string
	// First is the word that Name is from.
	First Word
	Args  []Word
	// Assigns stand before the command, or are what export, ENV= and the like set.
	Assigns []Assign
	// Line of the command, counted from 1; At and End are its bytes in Template.Source.
	Line, At, End int
	// Chosen tells that it stands in a branch that is taken by architecture, or after a
	// test that ends the script on the others.
	Chosen bool
	// Condition tells that it is a part of an if, of a while or of a test before && or ||.
	Condition bool
	// Handled tells that the script goes on when it fails: in an if, before ||, after !.
	Handled bool
	// Inner tells that it stands in $(…).
	Inner bool
	// Again tells that the same bytes were given before, for another turn of a loop or
	// another call of a function.
	Again bool
	// Pipe joins the commands of a pipeline, in order: they have the same number, and others 0.
	Pipe int
	// Into are the files that its output goes to.
	Into []Word
	// Input is what it is given by << or <<<.
	Input []Word
	// Vars are the variables that it sees.
	Vars Variables
}

// Assign is NAME=VALUE.
type Assign struct {
	Name  string
	Value Word
	// Exported tells that other commands see it.
	Exported bool
	// At is the first byte of NAME in Template.Source.
	At int
}

// Bounds of what is read.
const (
	longestScript = 256 << 10
	mostNested    = 1000
	mostCommands  = 5000
	mostTurns     = 16
	deepestCalls  = 6
)

// Read gives what a RUN does. shell is the SHELL in force; nil stands for sh -c. vars are
// those that hold before it.
func Read(t *template.Template, step template.Step, shell []string, vars Variables) Script {
	return read(t, step, shell, newState(lineStarts(t.Source), vars, mostCommands))
}

// newState begins a script.
func newState(lines []int, vars Variables, budget int) *state {
	return &state{lines: lines, vars: vars, shared: true, budget: min(budget, mostCommands), seen: map[int]bool{}}
}

func read(t *template.Template, step template.Step, shell []string, s *state) Script {
	source, ok := t.TabbedScript(step)
	if !ok {
		return Script{Foreign: true}
	}
	switch {
	case source.JSON:
		s.json(t.Joined(step))
		return s.out
	case source.Heredoc && foreignBang(source.Text), !source.Heredoc && foreign(shell):
		return Script{Foreign: true}
	}
	s.place = placed(source, 0)
	s.source = source.Text
	if !s.parse(language(shell)) {
		s.plain()
	}
	return s.out
}

// readText is Read for a RUN that waits under ONBUILD.
func readText(r *reader, shell []string, s *state) Script {
	at := skip(r.text, len("RUN"))
	for strings.HasPrefix(r.text[at:], "--") {
		at = skip(r.text, r.wordEnd(at))
	}
	if strings.HasPrefix(r.text[at:], "[") || strings.Contains(r.text, "<<") || foreign(shell) {
		return Script{Foreign: true}
	}
	s.place = func(i int) int32 { return r.place(at + i) }
	s.source = r.text[at:]
	if !s.parse(language(shell)) {
		s.plain()
	}
	return s.out
}

// foreign tells that a shell is none whose language is read here.
func foreign(shell []string) bool {
	if len(shell) == 0 {
		return false
	}
	name := strings.ToLower(path.Base(strings.ReplaceAll(shell[0], `\`, "/")))
	if name == "env" || name == "nice" {
		return false
	}
	return !slices.Contains([]string{"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox", "mksh", "conda", "mamba", "micromamba", "tini", "dumb-init", "entrypoint.sh", "sh.exe", "bash.exe"}, name) && !strings.HasSuffix(name, ".sh")
}

// foreignBang tells that a heredoc begins with #! of another language.
func foreignBang(text string) bool {
	line, _, _ := strings.Cut(text, "\n")
	bang, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return false
	}
	words := strings.Fields(bang)
	if len(words) > 1 && path.Base(words[0]) == "env" {
		words = words[1:]
	}
	return len(words) > 0 && foreign(words)
}

// language of a script. Bash's parser reads nearly all that sh's does.
func language(shell []string) []syntax.LangVariant {
	if len(shell) > 0 && path.Base(shell[0]) == "zsh" {
		return []syntax.LangVariant{syntax.LangZsh, syntax.LangBash}
	}
	return []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX}
}

// state is what is known while a script is walked over.
type state struct {
	lines []int
	// source is the script in hand, and place tells where its bytes are written.
	source string
	place  func(int) int32
	vars   Variables
	// shared tells that others hold vars as well: they are copied before they change.
	shared bool
	// functions are the bodies of those that are declared.
	functions map[string]function
	out       Script
	budget    int
	// asked counts what asked for the architecture.
	asked int
	// chosen, condition and inner hold for the commands in hand, rest for all that follow.
	chosen, condition, inner bool
	rest                     bool
	pipe, pipes              int
	depth                    int
	// splitting tells that variables without quotes may become several words.
	splitting bool
	// ended tells that the list in hand has left the script, failed that it said so by exit 1.
	ended, failed bool
	// handled holds for the commands in hand.
	handled bool
	// compares are the words of the last [[ … ]], when it compares two.
	compares []Word
	seen     map[int]bool
}

// function is one that the script declares, with the text that it stands in.
type function struct {
	body   *syntax.Stmt
	source string
	place  func(int) int32
}

// parse reads the script in hand and walks over it.
func (s *state) parse(languages []syntax.LangVariant) bool {
	nested := strings.Count(s.source, "(") + strings.Count(s.source, "{") + strings.Count(s.source, "`")
	if len(s.source) > longestScript || nested > mostNested || s.depth > deepestCalls {
		return false
	}
	for _, language := range languages {
		file, err := syntax.NewParser(syntax.Variant(language)).Parse(strings.NewReader(s.source), "")
		if err == nil {
			s.stmts(file.Stmts)
			return true
		}
	}
	return false
}

// copied are the variables in hand, to be changed by what follows. Copying counts as work.
func (s *state) copied() Variables {
	s.budget -= len(s.vars.values) / 64
	return s.vars.clone()
}

// set changes a variable.
func (s *state) set(name string, one value) {
	if s.shared {
		s.vars, s.shared = s.copied(), false
	}
	s.vars.set(name, one)
}

// lineStarts are the offsets at which lines begin.
func lineStarts(source []byte) []int {
	starts := []int{0}
	for i, b := range source {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line is the number of the line of an offset.
func (s *state) line(offset int) int {
	n, exact := slices.BinarySearch(s.lines, offset)
	if exact {
		return n + 1
	}
	return n
}

// add gives a command.
func (s *state) add(c Command) {
	c.Chosen, c.Condition, c.Handled, c.Inner, c.Pipe = s.chosen || s.rest, s.condition, s.handled, s.inner, s.pipe
	c.Vars, s.shared = s.vars, true
	c.Line = s.line(c.At)
	c.Again = s.seen[c.At]
	s.seen[c.At] = true
	if Asks(c) != "" || tells(c) {
		s.asked++
	}
	s.out.Commands = append(s.out.Commands, c)
}

// json is the JSON form: one command without a shell.
func (s *state) json(joined template.Script) {
	r := &reader{text: joined.Text, place: placed(joined, 0), escape: '\\', vars: s.vars}
	_, args := r.words(false)
	if len(args) == 0 {
		return
	}
	s.simple(args, nil, Command{At: args[0].At, End: args[len(args)-1].End})
}

// plain looks at the words of a script that cannot be read.
func (s *state) plain() {
	s.out.Plain = true
	at := 0
	for _, line := range strings.SplitAfter(s.source, "\n") {
		var words []Word
		for from := at; ; {
			from = skip(s.source[:at+len(line)], from)
			end := from
			for end < at+len(line) && !blank(s.source[end]) {
				end++
			}
			if end == from {
				break
			}
			if w, ok := s.plainWord(from, end); ok && len(words) < mostWords {
				words = append(words, w)
			}
			from = end
		}
		if len(words) > 0 && !strings.HasPrefix(words[0].Text, "#") {
			s.add(Command{Name: path.Base(words[0].Text), First: words[0], Args: words[1:], At: words[0].At, End: words[len(words)-1].End})
		}
		at += len(line)
	}
}

// plainWord is a word as it is written.
func (s *state) plainWord(from, end int) (Word, bool) {
	raw := s.source[from:end]
	var t builder
	for i := range len(raw) {
		t.put(raw[i], s.place(from+i))
	}
	w := Word{Raw: raw}
	w.fill(t.text())
	w.At, w.End = s.bounds(from, end)
	return w, w.At >= 0 && w.End > w.At
}

// bounds are the bytes in the file of a part of the script in hand.
func (s *state) bounds(from, end int) (int, int) {
	if end <= from || end > len(s.source) {
		return -1, -1
	}
	return int(s.place(from)), int(s.place(end-1)) + 1
}
