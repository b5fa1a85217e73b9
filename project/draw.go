package project

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/archbuild/archbuild/platform"
)

// WriteDot draws the graph in the language of Graphviz: an arrow leads from a base to who
// is built on it, so that what is built first stands on the left.
func (g Graph) WriteDot(w io.Writer) error {
	var text strings.Builder
	text.WriteString("digraph services {\n\trankdir=LR;\n\tnode [shape=box];\n")
	for i, n := range g.Nodes {
		fmt.Fprintf(&text, "\tn%d [label=%s];\n", i, dotLabel(n.lines()))
	}
	for _, a := range g.arrows() {
		fmt.Fprintf(&text, "\tn%d -> n%d [label=%s];\n", a.base, a.user, dotLabel(a.labels))
	}
	text.WriteString("}\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// WriteMermaid draws the graph as a flowchart of Mermaid, which GitHub and GitLab show in
// Markdown. The arrows are those of WriteDot.
func (g Graph) WriteMermaid(w io.Writer) error {
	var text strings.Builder
	text.WriteString("flowchart LR\n")
	for i, n := range g.Nodes {
		fmt.Fprintf(&text, "    n%d[%s]\n", i, mermaidLabel(n.lines()))
	}
	for _, a := range g.arrows() {
		fmt.Fprintf(&text, "    n%d -->|%s| n%d\n", a.base, mermaidLabel(a.labels), a.user)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// lines of a service's box.
func (n Node) lines() []string {
	asked := slices.DeleteFunc(slices.Clone(n.Platforms), func(p platform.Platform) bool { return slices.Contains(n.Added, p) })
	lines := []string{n.Name}
	if len(asked) > 0 {
		lines = append(lines, list(asked))
	}
	if len(n.Added) > 0 {
		lines = append(lines, list(n.Added)+" for its users")
	}
	return lines
}

// arrow joins all edges between two services, which are given by their places.
type arrow struct {
	base, user int
	labels     []string
}

// arrows of the graph, in the order of its edges.
func (g Graph) arrows() []arrow {
	places := map[string]int{}
	for i, n := range g.Nodes {
		places[n.Name] = i
	}
	across := map[string]bool{} // what is taken on another platform than the user's
	for _, e := range g.Edges {
		if e.For != e.On {
			across[e.User+"\x00"+e.Base+"\x00"+e.label()] = true
		}
	}
	known := map[[2]int]int{}
	var arrows []arrow
	for _, e := range g.Edges {
		base, user := places[e.Base], places[e.User]
		at, found := known[[2]int{base, user}]
		if !found {
			at = len(arrows)
			known[[2]int{base, user}] = at
			arrows = append(arrows, arrow{base: base, user: user})
		}
		label := e.label()
		if across[e.User+"\x00"+e.Base+"\x00"+label] {
			label += " on " + e.On.String()
		}
		arrows[at].labels = appendNew(arrows[at].labels, label)
	}
	return arrows
}

// label says what is taken.
func (e Edge) label() string {
	if e.Name == "" {
		return "needed first"
	}
	return e.Where + " " + e.Name
}

// dotLabel quotes lines for Graphviz: it reads escapes and HTML's entities in a label.
func dotLabel(lines []string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;")
	quoted := make([]string, len(lines))
	for i, line := range lines {
		quoted[i] = quote.Replace(visible(line))
	}
	return `"` + strings.Join(quoted, `\n`) + `"`
}

// mermaidLabel quotes lines for Mermaid: whatever could mean something to it, to Markdown or
// to HTML is written as the number of its character.
func mermaidLabel(lines []string) string {
	var quoted strings.Builder
	for i, line := range lines {
		if i > 0 {
			quoted.WriteString("<br/>")
		}
		for _, r := range visible(line) {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" -_./:,@=+", r) {
				quoted.WriteRune(r)
			} else {
				fmt.Fprintf(&quoted, "#%d;", r)
			}
		}
	}
	return `"` + quoted.String() + `"`
}

// visible leaves no character in a text that ends a line or steers a terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text)
}
