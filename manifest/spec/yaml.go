package spec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/archbuild/archbuild/platform"
)

// The limits keep a hostile file from costing more than a blink. The YAML
// library bounds the depth itself, at 10,000.
const (
	maxBytes = 1 << 20
	// maxVisits bounds the nodes looked at, each time an alias leads to them.
	maxVisits = 200_000
	// maxText bounds the text read, each time an alias leads to it, variables included.
	maxText = 8 << 20
	// maxFindings bounds what is told.
	maxFindings = 50
)

// text is a scalar and its place.
type text struct {
	text string
	// written is the text before variables were put in: what messages show, as
	// the environment may hold secrets.
	written string
	// null is a value left out, in any of YAML's spellings.
	null         bool
	line, column int
}

// pair is a key of a mapping and its value.
type pair struct {
	key   text
	value *yaml.Node
}

// reader walks the nodes and collects errors and warnings.
type reader struct {
	opts          Options
	errs          []error
	warnings      []Warning
	visits, bytes int
}

func newReader(opts Options) *reader {
	if opts.Name == "-" || opts.Name == "" {
		opts.Name = "standard input"
	}
	return &reader{opts: opts}
}

// full tells that the rest of the file does not matter any more.
func (r *reader) full() bool {
	return len(r.errs) >= maxFindings || r.visits > maxVisits || r.bytes > maxText
}

func (r *reader) fail(at text, message, help string) {
	if len(r.errs) < maxFindings {
		r.errs = append(r.errs, &Error{File: r.opts.Name, Line: at.line, Column: at.column, Text: message, Help: help})
	}
}

func (r *reader) warn(at text, message, help string) {
	switch {
	case r.opts.Strict:
		r.fail(at, message, help)
	case len(r.warnings) < maxFindings:
		r.warnings = append(r.warnings, Warning{File: r.opts.Name, Line: at.line, Column: at.column, Text: message, Help: help})
	}
}

// visit spends one look at a node.
func (r *reader) visit(at text) bool {
	if r.visits++; r.visits == maxVisits+1 {
		r.fail(at, fmt.Sprintf("more than %d values, aliases followed", maxVisits), "is it the right file?")
	}
	return r.visits <= maxVisits
}

// spend spends text.
func (r *reader) spend(at text, n int) bool {
	if r.bytes > maxText {
		return false
	}
	if r.bytes += n; r.bytes > maxText {
		r.fail(at, fmt.Sprintf("more than %d MB of text, aliases and variables followed", maxText>>20), "is it the right file?")
	}
	return r.bytes <= maxText
}

// documents gives the root of each document that holds something.
func (r *reader) documents(source []byte) []*yaml.Node {
	if len(source) > maxBytes {
		r.fail(text{}, fmt.Sprintf("the file is larger than %d MB", maxBytes>>20), "is it the right file?")
		return nil
	}
	var roots []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return roots
		}
		if err != nil {
			at, message := locate(source, err)
			r.fail(at, "no valid YAML: "+message, "look at this line and the next: indent with spaces only, close every bracket and quote, quote what begins with @ % * & or {")
			return nil
		}
		for _, root := range doc.Content {
			if !isNull(root) {
				roots = append(roots, root)
			}
		}
	}
}

func place(node *yaml.Node) text { return text{line: node.Line, column: node.Column} }

// follow gives the node behind an alias.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isMapping(node *yaml.Node) bool { return follow(node).Kind == yaml.MappingNode }

func isNull(node *yaml.Node) bool {
	node = follow(node)
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// mapping reads a mapping whose keys are unique, merge keys followed. A key that
// is not known is passed over with a warning; a nil known knows every key.
func (r *reader) mapping(node *yaml.Node, known *keys) []pair {
	if isNull(node) {
		return nil
	}
	if !isMapping(node) {
		r.fail(place(node), "expected a mapping (key: value)", cmp.Or(mappingHint(follow(node), known), "write KEY: VALUE, one a line, indented below it"))
		return nil
	}
	m := &merging{reader: r, known: known, taken: map[string]bool{}, open: map[*yaml.Node]bool{}}
	m.add(follow(node), place(node))
	return m.pairs
}

// mappingHint says how to write what is not the mapping it should be.
func mappingHint(node *yaml.Node, known *keys) string {
	switch {
	case known == specKeys && node.Kind == yaml.SequenceNode:
		return "write one spec for each document, with --- between them"
	case known == specKeys:
		return "a spec has image: and manifests:"
	case known == entryKeys && node.Kind == yaml.ScalarNode:
		return "write image: before it"
	case known == platformKeys && node.Kind == yaml.ScalarNode:
		p, err := platform.Parse(node.Value)
		if err != nil {
			return "write platform: {os: linux, architecture: arm64}"
		}
		variant := ""
		if p.Variant != "" {
			variant = ", variant: " + p.Variant
		}
		return fmt.Sprintf("write platform: {os: %s, architecture: %s%s}", p.OS, p.Arch, variant)
	}
	return ""
}

// merging collects the pairs of a mapping and of those it merges. The first
// one to hold a key wins: the mapping itself, then what it merges, in order.
type merging struct {
	*reader
	known *keys
	pairs []pair
	taken map[string]bool
	open  map[*yaml.Node]bool
}

func (m *merging) add(node *yaml.Node, at text) {
	if m.open[node] {
		m.fail(at, "a mapping merges itself", "write the keys out")
		return
	}
	m.open[node] = true
	defer delete(m.open, node)
	var merged *yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content) && !m.full(); i += 2 {
		key, ok := m.key(node.Content[i])
		if !ok {
			continue
		}
		if line, twice := lines[key.text]; twice {
			m.fail(key, fmt.Sprintf("%s is given twice, first on line %d", quote(key.text), line), "keep one of them")
			continue
		}
		lines[key.text] = key.line
		if isMerge(node.Content[i]) {
			merged = node.Content[i+1]
			continue
		}
		if !m.taken[key.text] {
			m.taken[key.text] = true
			m.take(pair{key: key, value: node.Content[i+1]})
		}
	}
	if merged != nil {
		m.merge(merged)
	}
}

func (m *merging) take(p pair) {
	if m.known == nil || m.known.has(p.key.text) {
		m.pairs = append(m.pairs, p)
		return
	}
	message := fmt.Sprintf("unknown key %s", quote(p.key.text))
	if !m.opts.Strict {
		message += " has no effect"
	}
	m.warn(p.key, message, m.known.hint(p.key.text))
}

// merge follows the value of a << key: a mapping, or a list of them.
func (m *merging) merge(node *yaml.Node) {
	sources := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		sources = node.Content
	}
	for _, source := range sources {
		if !m.visit(place(source)) {
			return
		}
		if !isMapping(source) {
			m.fail(place(source), "<< merges mappings only", "write <<: *NAME, where &NAME is before a mapping")
			return
		}
		m.add(follow(source), place(source))
	}
}

// isMerge tells whether a key is the merge key, which it is not in quotes.
func isMerge(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Value == "<<" && (node.Tag == "" || node.Tag == "!" || node.ShortTag() == "!!merge")
}

func (r *reader) key(node *yaml.Node) (text, bool) {
	s, ok := r.plain(node)
	if s.null {
		r.warn(s, "a key without a name has no effect", "name it, or remove it")
	}
	return s, ok
}

// items gives the nodes of a list, without those that hold nothing.
func (r *reader) items(node *yaml.Node) []*yaml.Node {
	list := follow(node)
	if isNull(list) {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		help := "write [a, b], or a line with - for each"
		if list.Kind == yaml.ScalarNode && !strings.ContainsAny(list.Value, "\n$") {
			help = fmt.Sprintf("write [%s]", quote(list.Value))
		}
		r.fail(place(node), "expected a list", help)
		return nil
	}
	var items []*yaml.Node
	for _, item := range list.Content {
		if r.full() || !r.visit(place(item)) {
			break
		}
		if isNull(item) {
			r.warn(place(item), "an empty item is left out", "remove it, or say what it is")
			continue
		}
		items = append(items, item)
	}
	return items
}

// sequence reads a list of scalars.
func (r *reader) sequence(node *yaml.Node) []text {
	var list []text
	for _, item := range r.items(node) {
		if s, ok := r.scalar(item); ok {
			list = append(list, s)
		}
	}
	return list
}

// scalar reads a value, variables put in. It is not ok if it is null or not
// there to be read.
func (r *reader) scalar(node *yaml.Node) (text, bool) {
	s, ok := r.plain(node)
	if ok {
		s.text, ok = r.expand(s)
	}
	return s, ok
}

// plain reads a scalar as it is written: 1.10 stays 1.10.
func (r *reader) plain(node *yaml.Node) (text, bool) {
	target := follow(node)
	at := place(target)
	if r.full() || !r.visit(at) {
		return at, false
	}
	if target.Kind != yaml.ScalarNode {
		r.fail(place(node), "expected a single value", "write one value, without [ ] or { }")
		return at, false
	}
	// The library decodes !!binary and refuses !!int x.
	if err := target.Decode(&at.text); err != nil {
		_, message := syntax(err)
		r.fail(at, message, "remove the tag (!!…), or write a value that fits it")
		return at, false
	}
	if isNull(target) {
		at.null = true
		return at, false
	}
	at.written = at.text
	return at, r.spend(at, len(at.text))
}
