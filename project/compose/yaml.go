package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/project"
	"gopkg.in/yaml.v3"
)

// The limits keep a hostile file from costing more than a blink.
const (
	maxBytes = 4 << 20
	// maxSigns bounds what the YAML library makes nodes of, before it does.
	maxSigns = 150_000
	maxDepth = 64
	// maxVisits bounds what aliases and included files can make of little text.
	maxVisits   = 500_000
	maxServices = 10_000
	maxFiles    = 1_000
	maxMistakes = 20
	maxNotes    = 100
)

// tree is one document of a file.
type tree struct {
	file string
	root *yaml.Node
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	at    project.Place
	value *yaml.Node
	// twice is set for a key that the mapping had already.
	twice bool
}

// parse reads the documents of a file.
func parse(file string, data []byte) ([]*tree, error) {
	if err := bounds(file, data); err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var docs []*tree
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, syntax(file, data, err)
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && !isNull(doc.Content[0]) {
			docs = append(docs, &tree{file: file, root: doc.Content[0]})
		}
	}
}

// bounds refuses what would take the YAML library long.
func bounds(file string, data []byte) error {
	if len(data) > maxBytes {
		return wrong(project.Place{File: file}, "is it the right file?", "the file is larger than %d MB", maxBytes>>20)
	}
	signs, line := 0, 1
	for i, c := range data {
		switch c {
		case '\n':
			line++
			continue
		case '[', ']', '{', '}', ',', '&', '*':
		case ':', '-', '?':
			if i+1 < len(data) && strings.IndexByte(" \t\r\n", data[i+1]) < 0 {
				continue
			}
		default:
			continue
		}
		if signs++; signs > maxSigns {
			return wrong(project.Place{File: file, Line: line}, "divide it into several files, and include them", "the file holds more than %d entries", maxSigns)
		}
	}
	return nil
}

// The YAML library tells places in the text of its errors only, and those of its grammar count from 0.
var (
	syntaxForm  = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	grammarForm = regexp.MustCompile(`^did not find expected (',|'-|<|key|node content)`)
)

// syntax says where a file is no YAML: the same text, one line further down, fails with a line in any case.
func syntax(file string, data []byte, err error) error {
	var again error
	for decoder := yaml.NewDecoder(io.MultiReader(strings.NewReader("\n"), bytes.NewReader(data))); again == nil; {
		again = decoder.Decode(new(yaml.Node))
	}
	line, message := 0, err.Error()
	if parts := syntaxForm.FindStringSubmatch(again.Error()); parts != nil {
		message = parts[2]
		if line, _ = strconv.Atoi(parts[1]); line > 0 && !grammarForm.MatchString(message) {
			line--
		}
	}
	return wrong(project.Place{File: file, Line: line}, "look for an open quote or bracket, a tab, or a line indented too little", "no valid YAML: %s", message)
}

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// follow goes where an alias leads.
func follow(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			return n
		}
		n = n.Alias
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
}

// pairs are the entries of a mapping, with those that << brings in, which never win over others.
func (r *reader) pairs(n *yaml.Node) []pair { return r.merged(n, map[string]bool{}, 0) }

func (r *reader) merged(n *yaml.Node, seen map[string]bool, depth int) []pair {
	n = follow(n)
	if n.Kind != yaml.MappingNode || !r.visit(n, depth) {
		return nil
	}
	var own, merges []pair
	mine := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode || !r.visit(key, depth) {
			continue
		}
		p := pair{key: key.Value, at: r.at(n.Content[i]), value: value}
		switch {
		case key.ShortTag() == "!!merge":
			merges = append(merges, p)
			continue
		case mine[p.key]:
			p.twice = true
		case seen[p.key]:
			continue
		}
		mine[p.key], seen[p.key] = true, true
		own = append(own, p)
	}
	for _, m := range merges {
		value := follow(m.value)
		if value.Kind != yaml.SequenceNode {
			own = append(own, r.merged(value, seen, depth+1)...)
			continue
		}
		for _, item := range value.Content {
			own = append(own, r.merged(item, seen, depth+1)...)
		}
	}
	return own
}

// visit counts what is looked at; a bomb ends the reading with one error.
func (r *reader) visit(n *yaml.Node, depth int) bool {
	r.files.visits++
	switch {
	case r.files.full:
		return false
	case depth > maxDepth:
		r.files.full = true
		r.files.fail(r.at(n), "take the alias out that leads back to where it stands, or nest less", "nested more than %d deep", maxDepth)
	case r.files.visits > maxVisits:
		r.files.full = true
		r.files.fail(r.at(n), "take out aliases that stand for aliases", "aliases and included files make more than %d entries of it", maxVisits)
	}
	return !r.files.full
}

func (r *reader) at(n *yaml.Node) project.Place {
	return project.Place{File: r.tree.file, Line: n.Line}
}

// describe is what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%.40q", n.Value)
}
