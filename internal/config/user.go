package config

import (
	"errors"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/goccy/go-yaml/ast"
)

// Value is a value of a file and its place, both counted from 1.
type Value struct {
	Text         string
	Line, Column int
}

// Node is one entry of `nodes:`, as it is written.
type Node struct {
	// Value is the entry itself; its text is empty if it is a mapping.
	Value
	// Platforms that the entry declares.
	Platforms []platform.Platform
	// Keys are the other ones of a mapping.
	Keys map[string]Value
}

// LoadUser reads the bytes of config.yaml, the user's own file: its nodes, each a
// word as --node takes it, or a mapping. What their values mean is for others to
// say. Name is what messages call the file; all errors found are returned, joined,
// each an *Error.
func LoadUser(name string, data []byte) ([]Node, error) {
	r := &reader{file: name, elsewhere: misplaced(User)}
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, e := range r.mapping(root, within(User, "")) {
		nodes = r.nodes(e.value)
	}
	if err := r.mistakes(); err != nil {
		return nil, err
	}
	return nodes, nil
}

func (r *reader) nodes(node ast.Node) []Node {
	var nodes []Node
	switch list := r.follow(node).(type) {
	case *ast.SequenceNode:
		for _, item := range list.Values {
			if n, ok := r.node(item); ok {
				nodes = append(nodes, n)
			}
		}
	case nil, *ast.NullNode:
	default:
		r.fail(place(node), "expected a list", "begin each node with a hyphen: - tcp://arm.example:1234")
	}
	return nodes
}

// node reads one entry; ok is false after an error.
func (r *reader) node(node ast.Node) (n Node, ok bool) {
	at, before, whole := place(node), len(r.errs), node
	if !isMapping(r.follow(node)) {
		word, ok := r.scalar(node)
		return Node{Value: word.value()}, ok
	}
	if list, ok := r.follow(node).(*ast.MappingNode); ok && len(list.Values) > 0 {
		node = list.Values[0] // a mapping's own place is its first colon
	}
	if pair, ok := r.follow(node).(*ast.MappingValueNode); ok {
		at = place(pair.Key)
	}
	n = Node{Value: at.value(), Keys: map[string]Value{}}
	for _, e := range r.mapping(whole, within(User, "nodes")) {
		if e.key.text == "platforms" {
			n.Platforms, _ = r.platforms(e.value)
			continue
		}
		if list, several := r.follow(e.value).(*ast.SequenceNode); several && e.key.text == "passwords" {
			n.Keys[e.key.text] = joined(e.key, r.sequence(list))
			continue
		}
		if word, ok := r.scalar(e.value); ok {
			n.Keys[e.key.text] = word.value()
		}
	}
	return n, len(r.errs) == before
}

// joined writes a list as --node takes it.
func joined(at text, list []text) Value {
	words := make([]string, len(list))
	for i, word := range list {
		words[i] = word.text
	}
	at.text = strings.Join(words, "+")
	return at.value()
}

func (t text) value() Value { return Value{t.text, t.line, t.column} }

// Wrong is an error about a value of a file, found by another package.
func Wrong(file string, at Value, err error) *Error {
	r := &reader{file: file}
	r.wrap(text{line: at.Line, column: at.Column}, err)
	var e *Error
	errors.As(r.errs[0], &e)
	return e
}
