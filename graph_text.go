package archbuild

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// GraphFormats are what WriteGraphAs knows.
var GraphFormats = []string{"dot", "mermaid"}

// WriteGraphAs draws how services stand on each other, in one of GraphFormats. Another format is a *wrong.Usage.
func WriteGraphAs(w io.Writer, g project.Graph, format string) error {
	switch format {
	case "dot":
		return g.WriteDot(w)
	case "mermaid":
		return g.WriteMermaid(w)
	}
	return CheckGraphFormat(format)
}

// CheckGraphFormat refuses what WriteGraphAs does not know, before anything is asked for.
func CheckGraphFormat(format string) error {
	if slices.Contains(GraphFormats, format) {
		return nil
	}
	return &wrong.Usage{fmt.Errorf("--graph %s: no such format%s", format, nearest.DidYouMean(format, GraphFormats)), "use dot for Graphviz, or mermaid for Markdown"}
}

// WriteGraph prints a project's services in the order in which they are built, each with what it stands on and why.
func WriteGraph(w io.Writer, g project.Graph) error {
	if len(g.Edges) == 0 {
		fmt.Fprintf(w, "%d service%s, none of which stands on another\n", len(g.Nodes), ui.Plural(len(g.Nodes)))
	} else {
		fmt.Fprintf(w, "%d services, bases first\n", len(g.Nodes))
	}
	byUser := map[string][]project.Edge{}
	for _, e := range g.Edges {
		byUser[e.User] = append(byUser[e.User], e)
	}
	var rows [][]string
	for i, n := range g.Nodes {
		own := []string{fmt.Sprint(i + 1), n.Name, graphPlatforms(n)}
		if len(byUser[n.Name]) == 0 {
			rows = append(rows, append(own, "-"))
		}
		for _, e := range joinEdges(byUser[n.Name]) {
			rows = append(rows, append(own, e.stands(n), e.place(), e.Why))
			own = []string{"", "", ""}
		}
	}
	if err := ui.Table(w, []string{"#", "SERVICE", "PLATFORMS", "STANDS ON", "WHERE", "WHY"}, rows); err != nil {
		return err
	}
	for _, note := range g.Notes {
		fmt.Fprintf(w, "note: %s\n", ui.Line(note))
	}
	return nil
}

// remind prints the notes of a graph where there is no plan to print them with: an image that no registry has may be one
// of the project's under another tag, and a variable that is not set may be part of a path.
func (r run) remind(notes []string) {
	if r.progressMode() == "quiet" || r.progressMode() == "rawjson" {
		return
	}
	for _, note := range notes {
		fmt.Fprintf(r.Stderr, "archbuild: note: %s\n", ui.Line(note))
	}
}

// graphPlatforms lists what a service is built for, and what of it only for the sake of others.
func graphPlatforms(n project.Node) string {
	var names []string
	for _, p := range n.Platforms {
		text := p.String()
		if slices.Contains(n.Added, p) {
			text += " (for its users)"
		}
		names = append(names, text)
	}
	return strings.Join(names, ", ")
}

// joinedEdge are those of a service that differ in their platforms alone.
type joinedEdge struct {
	project.Edge
	// on are the base's platforms, each once, on which it is asked for; across says that one is not the user's.
	on      []platform.Platform
	across  bool
	between int
}

// joinEdges puts together what only platforms tell apart.
func joinEdges(list []project.Edge) []joinedEdge {
	var joined []joinedEdge
	for _, e := range list {
		at := slices.IndexFunc(joined, func(j joinedEdge) bool {
			return j.Base == e.Base && j.Name == e.Name && j.Where == e.Where && j.At == e.At && j.Why == e.Why
		})
		if at < 0 {
			at = len(joined)
			joined = append(joined, joinedEdge{Edge: e})
		}
		j := &joined[at]
		j.across = j.across || e.For != e.On
		j.between++
		if !slices.Contains(j.on, e.On) {
			j.on = append(j.on, e.On)
		}
	}
	return joined
}

// stands names the base, with the platforms where they are not simply those of the user.
func (e joinedEdge) stands(user project.Node) string {
	if !e.across && e.between == len(user.Platforms) {
		return e.Base
	}
	var names []string
	for _, p := range e.on {
		names = append(names, p.String())
	}
	return fmt.Sprintf("%s for %s", e.Base, strings.Join(names, ", "))
}

// place says by which instruction of which line.
func (e joinedEdge) place() string {
	return strings.TrimSpace(e.Where + " " + e.At.String())
}
