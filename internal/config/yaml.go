package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/moby/buildkit/util/suggest"
)

// The limits keep a hostile file from costing more than a blink: the YAML
// parser's time grows with the square of depth and of the number of keys.
const (
	maxBytes   = 1 << 20
	maxTokens  = 20_000
	maxDepth   = 32
	maxAliases = 1_000
	maxLine    = 64 << 10
	// maxMistakes is how many are told of one file.
	maxMistakes = 20
)

// text is a scalar of the file and its place.
type text struct {
	text         string
	line, column int
}

// entry is one pair of a mapping.
type entry struct {
	key   text
	value ast.Node
}

// once remembers on which line something was given.
type once[T comparable] map[T]int

// first tells whether this is the first time; the second is an error.
func (o once[T]) first(r *reader, what T, at text) bool {
	line, known := o[what]
	if known {
		r.fail(at, fmt.Sprintf("%q is given twice, first on line %d", at.text, line), "keep one of them")
		return false
	}
	o[what] = at.line
	return true
}

// reader walks the tree and collects errors.
type reader struct {
	file    string
	lines   []string
	errs    []error
	anchors map[string]ast.Node
	aliases int
	// elsewhere are keys that belong into another file.
	elsewhere map[string]advice
}

// advice is why something is wrong, and what to do.
type advice struct{ text, hint string }

// document parses the one document of a file; nil means that it is empty.
func (r *reader) document(data []byte) (ast.Node, error) {
	if err := r.bounds(data); err != nil {
		return nil, err
	}
	r.lines = strings.Split(string(data), "\n")
	tokens := lexer.Tokenize(string(data))
	if err := r.depth(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, r.syntax(err)
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			at := place(doc.Body)
			r.fail(at, "a second document", "keep one document, without ---")
			return nil, r.mistakes()
		}
		root = doc.Body
	}
	r.anchors = map[string]ast.Node{}
	if root != nil {
		ast.Walk(anchorFinder(r.anchors), root)
		ast.Walk(aliasFinder{r}, root)
	}
	return root, r.mistakes()
}

// bounds refuses what would take the tokenizer long.
func (r *reader) bounds(data []byte) error {
	signs := 0
	for _, c := range data {
		if strings.IndexByte("[]{}?:-,&*!'\"", c) >= 0 {
			signs++
		}
	}
	long := 0
	for line := range bytes.Lines(data) {
		long = max(long, len(line))
	}
	switch {
	case len(data) > maxBytes:
		return &Error{File: r.file, Text: fmt.Sprintf("the file is larger than %d MB", maxBytes>>20), hint: "is it the right file?"}
	case long > maxLine:
		return &Error{File: r.file, Text: fmt.Sprintf("a line has more than %d bytes", maxLine), hint: "is it the right file?"}
	case signs > maxTokens:
		return &Error{File: r.file, Text: fmt.Sprintf("the file holds more than %d words", maxTokens), hint: "is it the right file?"}
	}
	return nil
}

// depth refuses what would take the parser long.
func (r *reader) depth(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return &Error{File: r.file, Text: fmt.Sprintf("the file holds more than %d words", maxTokens), hint: "is it the right file?"}
	}
	depth, structure, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			if t.Position.Line != line {
				structure, line = 0, t.Position.Line
			}
			structure++
		}
		if depth > maxDepth || structure > maxDepth || t.Position.IndentNum > 20*maxDepth {
			at := text{line: t.Position.Line, column: t.Position.Column}
			return r.error(at, fmt.Sprintf("nested more than %d deep", maxDepth), "archbuild.yaml needs three levels")
		}
	}
	return nil
}

func (r *reader) syntax(err error) error {
	var at text
	message := err.Error()
	var known yaml.Error
	if errors.As(err, &known) {
		message = known.GetMessage()
		if t := known.GetToken(); t != nil && t.Position != nil {
			at = text{line: t.Position.Line, column: t.Position.Column}
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	return r.error(at, "no valid YAML: "+message, r.advice(at.line))
}

// advice looks for what mostly is wrong in a line that is no YAML.
func (r *reader) advice(line int) string {
	if line < 1 || line > len(r.lines) {
		return "compare it with the examples in docs/config.md"
	}
	text := r.lines[line-1]
	start := strings.TrimLeft(text, " -{[,")
	switch {
	case strings.HasPrefix(strings.TrimLeft(text, " "), "\t"):
		return "indent with spaces: YAML takes no tabs"
	case strings.ContainsAny(start[:min(1, len(start))], "*&!%@`|>") || strings.Contains(text, ": *") || strings.Contains(text, "{*"):
		return quoteStar
	}
	return fmt.Sprintf("look at line %d: a quote or bracket may be open, or something needs quotes", line)
}

// quoteStar is the way to write what YAML would take for a sign of its own.
const quoteStar = `put what begins with such a sign in quotes: "*-slim": NEW`

func isMapping(node ast.Node) bool {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// mapping reads a mapping whose keys are unique and, if known is given, known.
func (r *reader) mapping(node ast.Node, known []string) []entry {
	at := place(node)
	var pairs []*ast.MappingValueNode
	switch n := r.follow(node).(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case nil, *ast.NullNode:
		return nil
	default:
		r.fail(at, "expected a mapping (key: value)", "write KEY: VALUE, one a line, indented below it")
		return nil
	}
	var entries []entry
	seen := once[string]{}
	for _, pair := range pairs {
		key, ok := r.key(pair.Key)
		if !ok || !r.known(key, known) || !seen.first(r, key.text, key) {
			continue
		}
		entries = append(entries, entry{key: key, value: pair.Value})
	}
	return entries
}

func (r *reader) key(node ast.MapKeyNode) (text, bool) {
	at := place(node)
	switch node.(type) {
	case *ast.MergeKeyNode:
		r.fail(at, "merge keys (<<) are not read", "write the keys out")
		return at, false
	case *ast.MappingKeyNode:
		r.fail(at, "complex keys (?) are not read", "write key: value")
		return at, false
	}
	return r.scalar(node)
}

func (r *reader) known(key text, known []string) bool {
	if known == nil {
		return true
	}
	for _, k := range known {
		if k == key.text {
			return true
		}
	}
	if why, is := r.elsewhere[key.text]; is {
		r.fail(key, why.text, why.hint)
		return false
	}
	hint := "known keys: " + strings.Join(known, ", ")
	if lower := strings.ToLower(key.text); slices.Contains(known, lower) {
		hint = fmt.Sprintf("did you mean %s?", lower)
	} else if near, ok := suggest.Search(key.text, known, false); ok {
		hint = fmt.Sprintf("did you mean %s?", strings.ToLower(near))
	}
	r.fail(key, fmt.Sprintf("unknown key %q", key.text), hint)
	return false
}

// sequence reads a list of scalars.
func (r *reader) sequence(node ast.Node) []text {
	at := place(node)
	var list []text
	switch n := r.follow(node).(type) {
	case *ast.SequenceNode:
		for _, item := range n.Values {
			if s, ok := r.scalar(item); ok {
				list = append(list, s)
			}
		}
	case nil, *ast.NullNode:
	default:
		hint := "write it as [a, b]"
		if one, ok := r.follow(node).(*ast.StringNode); ok {
			hint = fmt.Sprintf("write it as a list: [%s]", one.Value)
		}
		r.fail(at, "expected a list", hint)
	}
	return list
}

// scalar reads a value as it is written: 1.10 stays 1.10.
func (r *reader) scalar(node ast.Node) (text, bool) {
	at := place(node)
	switch n := r.follow(node).(type) {
	case *ast.StringNode:
		at.text = n.Value
	case *ast.LiteralNode:
		at.text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		at.text = n.GetToken().Value
	case nil, *ast.NullNode:
		if r.aliases > maxAliases {
			return at, false // that was told
		}
		r.fail(at, "a value is missing here", "an empty one is written \"\"")
		return at, false
	default:
		r.fail(at, "expected a single value", "write one value, without [ ] or { }")
		return at, false
	}
	if strings.ContainsRune(at.text, 0) {
		r.fail(at, "the value holds a NUL byte", "write the value anew: no build argument, name or path can hold one")
		return at, false
	}
	return at, true
}

// place is where a node starts.
func place(node ast.Node) text {
	if node == nil {
		return text{}
	}
	t := node.GetToken()
	if t == nil || t.Position == nil {
		return text{}
	}
	return text{line: t.Position.Line, column: t.Position.Column}
}
