package template

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// predefined are the ARGs that BuildKit sets by itself; they need no ARG line
// to be used in a FROM.
func (t *Template) predefined(env Env) values {
	stage := env.TargetStage
	if stage == "" {
		if stage = strings.ToLower(t.Stages[len(t.Stages)-1].Name); stage == "" {
			stage = "default"
		}
	}
	v := values{
		"BUILDPLATFORM":   platforms.Format(env.Build.OCI()),
		"BUILDOS":         env.Build.OS,
		"BUILDOSVERSION":  env.Build.OSVersion,
		"BUILDARCH":       env.Build.Arch,
		"BUILDVARIANT":    env.Build.Variant,
		"TARGETPLATFORM":  platforms.FormatAll(env.Target.OCI()),
		"TARGETOS":        env.Target.OS,
		"TARGETOSVERSION": env.Target.OSVersion,
		"TARGETARCH":      env.Target.Arch,
		"TARGETVARIANT":   env.Target.Variant,
		"TARGETSTAGE":     stage,
	}
	for name := range v {
		if given, ok := env.Args[name]; ok {
			v[name] = given
		}
	}
	return v
}

// arguments are the variables that FROM sees: the predefined ones and the ARGs
// before the first FROM. A build argument without such an ARG is not seen.
type arguments struct {
	escape rune
	lex    *shell.Lex
	values
	declared map[string]bool
	spent    int // bytes that process has made
	// broken are the ARGs whose default cannot be evaluated, and why.
	broken map[string]string
}

func (t *Template) arguments(env Env) *arguments {
	a := &arguments{escape: rune(t.escape), values: t.predefined(env)}
	for _, cmd := range t.globals {
		for _, arg := range cmd.Args {
			if a.declared == nil {
				a.declared = map[string]bool{}
			}
			a.declared[arg.Key] = true
			if given, ok := env.Args[arg.Key]; ok {
				a.values[arg.Key] = given
			} else if arg.Value != nil {
				a.define(arg.Key, *arg.Value)
			}
		}
	}
	return a
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
	if isPlain(text, byte(a.escape)) {
		return shell.ProcessWordResult{Result: text}, nil
	}
	if result, ok := a.simple(text); ok && a.spent <= longestAll {
		a.spent += len(result)
		return shell.ProcessWordResult{Result: result}, nil
	}
	if a.bound(text) > longest || a.spent > longestAll {
		return shell.ProcessWordResult{}, errTooLarge
	}
	if a.lex == nil {
		a.lex = shell.NewLex(a.escape)
	}
	result, err := a.lex.ProcessWordWithMatches(readable(text), a.values)
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
		value := len(a.values[m[1]])
		sum = min(sum+value, longest+1)
		if m[2] == "/" { // the replacement can come once for each byte
			replaces = min(replaces*(value+1), longest+1)
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
func (a *arguments) define(name, text string) {
	result, err := a.process(text)
	if err == nil {
		a.values[name] = result.Result
		delete(a.broken, name)
		return
	}
	if a.broken == nil {
		a.broken = map[string]string{}
	}
	a.broken[name] = "ARG " + name + ": " + cause(err)
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
	for name := range result.Unmatched {
		if why, bad := a.broken[name]; bad && out.broken == "" {
			out.broken = why
		}
	}
	if len(result.Unmatched) > 0 {
		out.unset = a.unset(word, result.Unmatched)
	}
	return out
}

// expanded matches what the lexer leaves of an unset variable: its name and
// the modifier after it.
var expanded = regexp.MustCompile(`\$\{?([\pL_][\pL\d_]*|\d+)(:?[-+?]|)`)

// unset keeps those unmatched variables that had no default: ${V:-x} needs no
// V, and in ${V:+x} an unset one is meant.
func (a *arguments) unset(word string, unmatched map[string]struct{}) []string {
	lex := shell.NewLex(a.escape)
	lex.SkipUnsetEnv = true
	left, _, err := lex.ProcessWord(readable(word), a.values)
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
