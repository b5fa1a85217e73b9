package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// The limits keep a hostile file from costing more than a blink. The YAML library bounds the depth
// itself, at 10,000, and resolves no alias before it is asked to.
const (
	// MaxBytes of a file with services.
	MaxBytes = 8 << 20
	// maxDocuments in one file, maxVisits of values, those behind aliases each time.
	maxDocuments = 10_000
	maxVisits    = 500_000
	// maxMerges is how deep << may lead to <<.
	maxMerges = 32
	// maxMistakes is how many are told of one file.
	maxMistakes = 20
)

// reader walks values and collects errors.
type reader struct {
	file   string
	visits int
	// spent says that so many values were looked at that the rest does not count.
	spent bool
	errs  []error
}

func (r *reader) fail(n *yaml.Node, text, hint string) {
	line := 0
	if n != nil {
		line = n.Line
	}
	switch {
	case r.spent:
	case len(r.errs) < maxMistakes:
		r.errs = append(r.errs, &Error{File: r.file, Line: line, Text: text, hint: hint})
	case len(r.errs) == maxMistakes:
		r.errs = append(r.errs, &Error{File: r.file, Text: "more mistakes", hint: "correct the first ones: they are often the cause of others"})
	}
}

func (r *reader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", r.file, n.Line) }

// atLine finds the line in what the YAML library says.
var atLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:unmarshal errors:\s*)?(.*)`)

// documents parses a file; empty documents are left out.
func (r *reader) documents(data []byte) ([]*yaml.Node, error) {
	var list []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, r.syntax(err, data)
		}
		if n == maxDocuments {
			return nil, &Error{File: r.file, Text: fmt.Sprintf("more than %d documents", maxDocuments), hint: "give it in parts"}
		}
		if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
			list = append(list, doc.Content[0])
		}
	}
}

func (r *reader) syntax(err error, data []byte) error {
	e := &Error{File: r.file, Text: err.Error(), hint: "a quote or a bracket may be open, or a tab may indent; YAML takes spaces"}
	if m := atLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1]) // none is line 0
		e.Text = "no valid YAML: " + m[2]
	}
	if bytes.Contains(data, []byte("{{")) {
		e.hint = "it looks like a template: render it first, helm template CHART | archbuild place -"
	}
	return e
}

// spend is one look at a value; false is that there were too many.
func (r *reader) spend(n *yaml.Node) bool {
	if r.visits++; r.visits > maxVisits && !r.spent {
		r.fail(n, fmt.Sprintf("more than %d values, aliases followed", maxVisits), "is it the right file?")
		r.spent = true
	}
	return !r.spent
}

// follow gives what an alias stands for, and spends one look.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	if n == nil || !r.spend(n) {
		return nil
	}
	for range maxMerges {
		if n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// field is a key of a mapping, where it stands, and its value.
type field struct {
	key   *yaml.Node
	value *yaml.Node
}

// fields are the keys of a mapping in their order, those merged into it (<<) after them. What is no mapping has none.
func (r *reader) fields(n *yaml.Node) []field { return r.merged(n, map[string]bool{}, 0) }

func (r *reader) merged(n *yaml.Node, seen map[string]bool, depth int) []field {
	n = r.follow(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > maxMerges {
		return nil
	}
	var list []field
	var more []*yaml.Node
	for i := 0; i+1 < len(n.Content) && r.spend(n); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			more = append(more, value)
		case !seen[key.Value]:
			seen[key.Value] = true
			list = append(list, field{key, value})
		}
	}
	for _, m := range more {
		if seq := r.follow(m); seq != nil && seq.Kind == yaml.SequenceNode {
			for _, one := range seq.Content {
				list = append(list, r.merged(one, seen, depth+1)...)
			}
			continue
		}
		list = append(list, r.merged(m, seen, depth+1)...)
	}
	return list
}

// get follows keys down; nil is that there is nothing.
func (r *reader) get(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		var found *yaml.Node
		for _, f := range r.fields(n) {
			if f.key.Value == key {
				found = f.value
				break
			}
		}
		if found == nil {
			return nil
		}
		n = found
	}
	n = r.follow(n)
	if n == nil || n.Tag == "!!null" {
		return nil
	}
	return n
}

// text reads a single value; empty is none.
func (r *reader) text(n *yaml.Node) string {
	n = r.follow(n)
	if n == nil || n.Tag == "!!null" {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "expected a single value", "write one value, without [ ] or { }")
		return ""
	}
	return n.Value
}

// list are the values of a sequence; one value alone is a list of one where alone says so.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	n = r.follow(n)
	switch {
	case n == nil || n.Tag == "!!null":
		return nil
	case n.Kind != yaml.SequenceNode:
		r.fail(n, what+" is no list", "write it as a list, each line with - before it")
		return nil
	}
	return n.Content
}

// texts reads a list of single values.
func (r *reader) texts(n *yaml.Node, what string) []string {
	var list []string
	for _, one := range r.list(n, what) {
		list = append(list, r.text(one))
	}
	return list
}

func isMapping(n *yaml.Node) bool { return n != nil && n.Kind == yaml.MappingNode }
