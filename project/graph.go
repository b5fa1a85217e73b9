package project

import (
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// Node gives a service of the graph by its name.
func (g Graph) Node(name string) (Node, bool) {
	at := slices.IndexFunc(g.Nodes, func(n Node) bool { return n.Name == name })
	if at < 0 {
		return Node{}, false
	}
	return g.Nodes[at], true
}

// Needed are the named services and all that they stand on, in the graph's order. Names
// that the graph does not have are left out.
func (g Graph) Needed(names []string) []string {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	bases := g.bases()
	var list []string
	for _, n := range slices.Backward(g.Nodes) { // users come before their bases here
		if !wanted[n.Name] {
			continue
		}
		list = append(list, n.Name)
		for _, base := range bases[n.Name] {
			wanted[base] = true
		}
	}
	slices.Reverse(list)
	return list
}

// Only is the graph of some of its services: edges that lead elsewhere are cut.
func (g Graph) Only(names []string) Graph {
	part := Graph{Nodes: []Node{}, Edges: []Edge{}, Notes: g.Notes}
	for _, n := range g.Nodes {
		if slices.Contains(names, n.Name) {
			part.Nodes = append(part.Nodes, n)
		}
	}
	for _, e := range g.Edges {
		if slices.Contains(names, e.User) && slices.Contains(names, e.Base) {
			part.Edges = append(part.Edges, e)
		}
	}
	for _, e := range g.Waiting {
		if slices.Contains(names, e.User) && slices.Contains(names, e.Base) {
			part.Waiting = append(part.Waiting, e)
		}
	}
	return part
}

// Of are the edges of a service on one of its platforms: what it stands on there.
func (g Graph) Of(user string, on platform.Platform) []Edge {
	var list []Edge
	for _, e := range g.Edges {
		if e.User == user && e.For == on {
			list = append(list, e)
		}
	}
	return list
}

// bases by user, each as often as there are edges.
func (g Graph) bases() map[string][]string {
	bases := map[string][]string{}
	for _, e := range g.Edges {
		bases[e.User] = append(bases[e.User], e.Base)
	}
	return bases
}
