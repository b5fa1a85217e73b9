package project_test

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

// hostileNames are what a file may call its services and images, without an oath that they are any good.
var hostileNames = []string{
	"web", `a"]; evil [label="x`, `back\slash\`, `\`, `new` + "\n" + `n9 -> n1;`, "tab\tbell\a\x1b[2J", "<b onclick=x>&lt;b&gt;&amp;", "end", "subgraph",
	"%%{init: {}}%%", "`markdown`", "a|b", "#35;#quot;", "}--x{", "日本語 é", "\xff\xfe", "", "]-->[", "/* c */ // d", "---",
}

// dotLine is all that a line may be: a box or an arrow, with one quoted string that ends where it should.
var (
	dotLine     = regexp.MustCompile(`^\tn(\d+)(?: -> n(\d+))? \[label="((?:[^"\\]|\\[\\"n])*)"\];$`)
	mermaidLine = regexp.MustCompile(`^    n(\d+)(?:\["([^"\[\]{}|<>%` + "`" + `\\]|<br/>)*"\]| -->\|"([^"\[\]{}|<>%` + "`" + `\\]|<br/>)*"\| n(\d+))$`)
)

func hostileGraph() project.Graph {
	var g project.Graph
	for i, name := range hostileNames {
		g.Nodes = append(g.Nodes, project.Node{Name: name, Platforms: []platform.Platform{amd64, arm64}, Added: []platform.Platform{arm64}})
		if i > 0 {
			g.Edges = append(g.Edges, project.Edge{User: name, For: amd64, Base: hostileNames[i-1], On: arm64, Name: name, Where: "FROM"})
		}
	}
	return g
}

func TestNoNameBreaksOutOfGraphviz(t *testing.T) {
	var text strings.Builder
	if err := hostileGraph().WriteDot(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	head, end := 3, len(lines)-2
	if lines[0] != "digraph services {" || lines[end] != "}" || lines[end+1] != "" {
		t.Fatalf("no graph:\n%s", &text)
	}
	boxes, arrows := 0, 0
	for _, line := range lines[head:end] {
		m := dotLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is neither box nor arrow", line)
		}
		if m[2] != "" {
			arrows++
			continue
		}
		i, _ := strconv.Atoi(m[1])
		name, _, _ := strings.Cut(strings.ReplaceAll(m[3], `\\`, "\x00"), `\n`)
		name = html.UnescapeString(strings.NewReplacer(`\"`, `"`, "\x00", `\`).Replace(name))
		if want := harmless(hostileNames[i]); name != want {
			t.Errorf("the box of %q says %q", want, name)
		}
		boxes++
	}
	if boxes != len(hostileNames) || arrows != boxes-1 {
		t.Errorf("%d boxes and %d arrows of %d services", boxes, arrows, len(hostileNames))
	}
}

func TestNoNameBreaksOutOfMermaid(t *testing.T) {
	var text strings.Builder
	if err := hostileGraph().WriteMermaid(&text); err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`#(\d+);`)
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if lines[0] != "flowchart LR" || len(lines) != 2*len(hostileNames) {
		t.Fatalf("%d lines:\n%s", len(lines), &text)
	}
	for i, line := range lines[1:] {
		if !mermaidLine.MatchString(line) {
			t.Fatalf("%q is neither box nor arrow", line)
		}
		if i >= len(hostileNames) {
			continue
		}
		_, label, _ := strings.Cut(line, `["`)
		label, _, _ = strings.Cut(label, "<br/>")
		name := numbers.ReplaceAllStringFunc(label, func(s string) string {
			n, _ := strconv.Atoi(s[1 : len(s)-1])
			return string(rune(n))
		})
		if want := harmless(hostileNames[i]); name != want {
			t.Errorf("the box of %q says %q", want, name)
		}
	}
}

// harmless is what a name is expected to look like: no line ends, no controls, no bytes that are no text.
func harmless(name string) string {
	var out strings.Builder
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			r = '�'
		}
		out.WriteRune(r)
	}
	return out.String()
}

func TestAGraphIsDrawnWithOneArrowForEachPair(t *testing.T) {
	g, err := project.Connect([]project.Service{
		need(service("web", nil, "base", "linux/riscv64 base:latest", "linux/amd64 docker.io/library/base"), "docs"), service("base", []string{"base"}), service("docs", nil),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var dot, mermaid strings.Builder
	if err := g.WriteDot(&dot); err != nil {
		t.Fatal(err)
	}
	if err := g.WriteMermaid(&mermaid); err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{dot.String(): `digraph services {
	rankdir=LR;
	node [shape=box];
	n0 [label="base\nlinux/amd64, linux/arm64\nlinux/riscv64 for its users"];
	n1 [label="docs\nlinux/amd64, linux/arm64"];
	n2 [label="web\nlinux/amd64, linux/arm64"];
	n0 -> n2 [label="FROM base\nFROM base:latest on linux/riscv64\nFROM docker.io/library/base on linux/amd64"];
	n1 -> n2 [label="needed first"];
}
`, mermaid.String(): `flowchart LR
    n0["base<br/>linux/amd64, linux/arm64<br/>linux/riscv64 for its users"]
    n1["docs<br/>linux/amd64, linux/arm64"]
    n2["web<br/>linux/amd64, linux/arm64"]
    n0 -->|"FROM base<br/>FROM base:latest on linux/riscv64<br/>FROM docker.io/library/base on linux/amd64"| n2
    n1 -->|"needed first"| n2
`} {
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}
