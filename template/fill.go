package template

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Filling is a placeholder outside of references and its value.
type Filling struct {
	Placeholder
	// Span of the placeholder, its signs included.
	Span  Span
	Value string
	// Guessed tells that the value is a default that may be wrong.
	Guessed bool
}

// harmless is what a value may be to be put anywhere: it ends no word, string
// or line, and begins no variable.
var harmless = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@+-]*$`)

// Filled tells whether placeholders outside of references are filled in: in a
// file that is one of balena's by its name (Dockerfile.template), or because a
// reference holds one, which no other tool could build.
func (t *Template) Filled() bool { return t.filled }

// Filling gives the value of a placeholder for the platform that is built; ok is
// false when it stays as it is.
func (t *Template) Filling(p Placeholder, env Env) (f Filling, ok bool) {
	if !t.filled {
		return f, false
	}
	v := view{Template: t, env: env}
	value, guessed := v.placeholder(p.Name, env.Target)
	return Filling{Placeholder: p, Value: value, Guessed: guessed}, harmless.MatchString(value)
}

// Fillings gives the values of all placeholders outside of references that have
// one, in the order of the file.
func (t *Template) Fillings(env Env) []Filling {
	if !t.filled {
		return nil
	}
	var list []Filling
	for p, span := range t.placeholders {
		if f, ok := t.Filling(p, env); ok {
			f.Span = span
			list = append(list, f)
		}
	}
	return list
}

// Fill is this file with placeholders filled in: the same instructions with the
// same references on the same lines. The fillings are in the order of the file.
func (t *Template) Fill(list []Filling) (*Template, error) {
	var source []byte
	at := 0
	for _, f := range list {
		source = append(append(source, t.Source[at:f.Span.Start]...), f.Value...)
		at = f.Span.End
	}
	source = append(source, t.Source[at:]...)
	filled, err := ParseLimited(t.File, source, Limits{Bytes: len(source), Instructions: len(t.instructions)})
	if err != nil {
		return nil, err
	}
	var pairs []string
	known := map[string]bool{}
	for _, f := range list {
		if !known[f.Name] {
			known[f.Name] = true
			pairs = append(pairs, "%%"+f.Name+"%%", f.Value)
		}
	}
	return filled, t.sameFilled(filled, strings.NewReplacer(pairs...))
}

// sameFilled checks that nothing but values makes the difference to a filled file.
func (t *Template) sameFilled(filled *Template, values *strings.Replacer) error {
	sameReference := func(a, b Reference) bool {
		return a.Text == b.Text && a.Line == b.Line && a.Where == b.Where && a.Stage == b.Stage && a.Kind == b.Kind && a.Target == b.Target
	}
	if !slices.EqualFunc(t.References, filled.References, sameReference) {
		return errors.New("filling in placeholders changes a reference")
	}
	if len(t.nodes) != len(filled.nodes) {
		return errors.New("filling in placeholders changes the number of instructions")
	}
	for i, node := range t.nodes {
		if !sameButFor(values, node, filled.nodes[i]) {
			return fmt.Errorf("line %d: filling in placeholders changes more than words", node.StartLine)
		}
	}
	return nil
}

// sameButFor compares what BuildKit makes of two instructions, once the values
// are in both.
func sameButFor(values *strings.Replacer, a, b *parser.Node) bool {
	same := func(x, y string) bool { return values.Replace(x) == values.Replace(y) }
	for ; a != nil && b != nil; a, b = a.Next, b.Next {
		heredocs := slices.EqualFunc(a.Heredocs, b.Heredocs, func(x, y parser.Heredoc) bool {
			return same(x.Name, y.Name) && same(x.Content, y.Content) && x.Expand == y.Expand && x.Chomp == y.Chomp
		})
		children := slices.EqualFunc(a.Children, b.Children, func(x, y *parser.Node) bool { return sameButFor(values, x, y) })
		if !heredocs || !children || !same(a.Value, b.Value) || !slices.EqualFunc(a.Flags, b.Flags, same) ||
			a.StartLine != b.StartLine || a.EndLine != b.EndLine {
			return false
		}
	}
	return a == nil && b == nil
}
