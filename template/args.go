package template

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// globals are the ARGs before the first FROM.
type globals struct {
	commands []instructions.ArgCommand
	// number of each name, counted from 0.
	number map[string]int
}

func newGlobals(commands []instructions.ArgCommand) globals {
	g := globals{commands: commands}
	for _, cmd := range commands {
		for _, arg := range cmd.Args {
			if _, known := g.number[arg.Key]; known {
				continue
			}
			if g.number == nil {
				g.number = map[string]int{}
			}
			g.number[arg.Key] = len(g.number)
		}
	}
	return g
}

// arguments are the variables that FROM sees: the predefined ones and the ARGs
// before the first FROM. A build argument without such an ARG is not seen. They
// are an environment for BuildKit's shell lexer.
type arguments struct {
	*Template
	env    Env
	lex    *shell.Lex
	values []value // of the global ARGs, by their number
	spent  int     // bytes that process has made
}

// value is that of one global ARG.
type value struct {
	text string
	set  bool
	// broken says why its default cannot be evaluated.
	broken string
}

func (t *Template) arguments(env Env) *arguments {
	a := &arguments{Template: t, env: env, values: make([]value, len(t.globals.number))}
	for _, cmd := range t.globals.commands {
		for _, arg := range cmd.Args {
			v := &a.values[t.globals.number[arg.Key]]
			if given, ok := env.Args[arg.Key]; ok {
				*v = value{text: given, set: true}
			} else if arg.Value != nil {
				a.define(v, arg.Key, *arg.Value)
			}
		}
	}
	return a
}

// Get is the value of a variable.
func (a *arguments) Get(name string) (string, bool) {
	if i, ok := a.globals.number[name]; ok && a.values[i].set {
		return a.values[i].text, true
	}
	return a.predefined(name)
}

// Keys is part of the lexer's interface; it is used for suggestions only.
func (a *arguments) Keys() []string { return nil }

// predefined is an ARG that BuildKit sets by itself; it needs no ARG line to be
// used in a FROM.
func (a *arguments) predefined(name string) (text string, ok bool) {
	env := &a.env
	switch name {
	case "BUILDPLATFORM":
		text = platforms.Format(env.Build.OCI())
	case "BUILDOS":
		text = env.Build.OS
	case "BUILDOSVERSION":
		text = env.Build.OSVersion
	case "BUILDARCH":
		text = env.Build.Arch
	case "BUILDVARIANT":
		text = env.Build.Variant
	case "TARGETPLATFORM":
		text = platforms.FormatAll(env.Target.OCI())
	case "TARGETOS":
		text = env.Target.OS
	case "TARGETOSVERSION":
		text = env.Target.OSVersion
	case "TARGETARCH":
		text = env.Target.Arch
	case "TARGETVARIANT":
		text = env.Target.Variant
	case "TARGETSTAGE":
		text = cmp.Or(env.TargetStage, strings.ToLower(a.Stages[len(a.Stages)-1].Name), "default")
	default:
		return "", false
	}
	if given, ok := env.Args[name]; ok {
		text = given
	}
	return text, true
}

// What a hostile file could make the lexer do: ARGs that double the one before
// them, and nesting without end. No image reference comes near these bounds.
const (
	deepest    = 100     // levels of ${…${…
	longest    = 1 << 20 // bytes of one value that is put together from others
	longestAll = 16 << 20
)

var errTooLarge = errors.New("its variables are nested too deeply or their values are too long")

// process lets BuildKit's lexer evaluate a word, within bounds.
func (a *arguments) process(text string) (shell.ProcessWordResult, error) {
	if isPlain(text, a.escape) {
		return shell.ProcessWordResult{Result: text}, nil
	}
	if result, ok := simple(text, a.escape, a.Get); ok && a.spent <= longestAll {
		a.spent += len(result)
		return shell.ProcessWordResult{Result: result}, nil
	}
	if a.bound(text) > longest || a.spent > longestAll {
		return shell.ProcessWordResult{}, errTooLarge
	}
	if a.lex == nil {
		a.lex = shell.NewLex(rune(a.escape))
	}
	result, err := a.lex.ProcessWordWithMatches(readable(text), a)
	a.spent += len(result.Result)
	return result, err
}

// bound is more than the length of what a word can become.
func (a *arguments) bound(text string) int {
	if strings.IndexByte(text, '$') < 0 {
		return 0
	}
	if tooDeep(text) {
		return longest + 1
	}
	sum, replaces := len(text), 1
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		value, _ := a.Get(m[1])
		sum = min(sum+len(value), longest+1)
		if m[2] == "/" { // the replacement can come once for each byte
			replaces = min(replaces*(len(value)+1), longest+1)
		}
	}
	return sum * replaces
}

// variable matches a name behind $ or ${ and a slash after it.
var variable = regexp.MustCompile(`\$\{?([\pL_][\pL\d_]*)(/?)`)

// tooDeep counts the levels of ${ in a word, as far as they can be counted
// without reading it.
func tooDeep(text string) bool {
	depth := 0
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			if depth++; depth > deepest {
				return true
			}
		case text[i] == '}' && depth > 0:
			depth--
		}
	}
	return false
}

// define evaluates the default of an ARG.
func (a *arguments) define(v *value, name, text string) {
	result, err := a.process(text)
	if err == nil {
		*v = value{text: result.Result, set: true}
		return
	}
	v.broken = "ARG " + name + ": " + cause(err)
}

// cause is the innermost message of an error.
func cause(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err.Error()
		}
		err = inner.Unwrap()
	}
}

// expansion is a word with its variables replaced.
type expansion struct {
	text string
	// unset are the variables that were read as empty, sorted.
	unset []string
	// broken says why the word cannot be evaluated.
	broken string
}

// expand evaluates one word of a FROM.
func (a *arguments) expand(word string) expansion {
	result, err := a.process(word)
	out := expansion{text: result.Result}
	if err != nil {
		out.broken = cause(err)
	}
	if len(result.Unmatched) == 0 {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(result.Unmatched)) {
		if i, ok := a.globals.number[name]; ok && out.broken == "" {
			out.broken = a.values[i].broken
		}
	}
	out.unset = a.unset(word, result.Unmatched)
	return out
}

// expanded matches what the lexer leaves of an unset variable: its name and
// the modifier after it.
var expanded = regexp.MustCompile(`\$\{?([\pL_][\pL\d_]*|\d+)(:?[-+?]|)`)

// unset keeps those unmatched variables that had no default: ${V:-x} needs no
// V, and in ${V:+x} an unset one is meant.
func (a *arguments) unset(word string, unmatched map[string]struct{}) []string {
	lex := shell.NewLex(rune(a.escape))
	lex.SkipUnsetEnv = true
	left, _, err := lex.ProcessWord(readable(word), a)
	if err != nil {
		left = word
	}
	var names []string
	for _, m := range expanded.FindAllStringSubmatch(left, -1) {
		name, modifier := m[1], m[2]
		if _, ok := unmatched[name]; !ok || slices.Contains(names, name) {
			continue
		}
		if modifier == "" || strings.HasSuffix(modifier, "?") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
