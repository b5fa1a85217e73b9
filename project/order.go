package project

import (
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// wait adds the edges of services that are needed by name. They add no platform: nothing of
// the other image is taken, its end alone is waited for. Where it is not built for the user's
// platform, that is its end on all of its own.
func (c *connection) wait() {
	for i := range c.services {
		if !c.states[i].reached {
			continue
		}
		for _, need := range c.services[i].Needs {
			if base, known := c.names.services[need.Name]; known {
				c.waitFor(i, base, need)
			}
		}
	}
}

func (c *connection) waitFor(user, base int, need Need) {
	s, b := &c.states[user], &c.states[base]
	edge := Edge{User: c.services[user].Name, Base: need.Name, At: need.At, Why: need.Why}
	if len(s.platforms) == 0 || len(b.platforms) == 0 {
		s.edges = append(s.edges, stands{edge, base}) // it counts for the order of services alone
	}
	for _, on := range s.platforms {
		ends := b.platforms
		if slices.Contains(ends, on) {
			ends = []platform.Platform{on}
		}
		for _, end := range ends {
			edge.For, edge.On = on, end
			if !slices.ContainsFunc(s.edges, func(e stands) bool { return e.base == base && e.For == on && e.On == end }) {
				s.edges = append(s.edges, stands{edge, base})
			}
		}
	}
}

// order lists the services that are built, bases first. A service keeps its place unless one
// before it stands on it. Circles are errors.
func (c *connection) order() []int {
	c.findCircles()
	var order []int
	done := make([]bool, len(c.services))
	var visit func(int)
	visit = func(service int) {
		if done[service] {
			return
		}
		done[service] = true
		for _, base := range c.bases(service) {
			visit(base)
		}
		order = append(order, service)
	}
	for i := range c.services {
		if c.states[i].reached {
			visit(i)
		}
	}
	return order
}

// bases are the services that one stands on, as they were given.
func (c *connection) bases(service int) []int {
	var list []int
	for _, e := range c.states[service].edges {
		list = append(list, e.base)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// findCircles reports a shortest circle through each service that is in one, until none is
// left that no reported circle has.
func (c *connection) findCircles() {
	bases := make([][]int, len(c.services))
	for i := range bases {
		bases[i] = c.bases(i)
	}
	left := tangled(bases)
	for i := range bases {
		if !left[i] {
			continue
		}
		circle := shortest(bases, left, i)
		for _, service := range circle {
			left[service] = false
		}
		if len(circle) > 0 {
			c.fail(&CycleError{Steps: c.steps(circle)})
		}
	}
}

// tangled tells which services are in a circle or between two: those that are left when
// whoever stands on nobody, or bears nobody, has been taken away, again and again.
func tangled(bases [][]int) []bool {
	users := make([][]int, len(bases))
	for user, list := range bases {
		for _, base := range list {
			users[base] = append(users[base], user)
		}
	}
	left := make([]bool, len(bases))
	for i := range left {
		left[i] = true
	}
	for _, way := range [][2][][]int{{bases, users}, {users, bases}} {
		peel(left, way[0], way[1])
	}
	return left
}

// peel takes away whoever has nobody left ahead.
func peel(left []bool, ahead, behind [][]int) {
	open := make([]int, len(left))
	var free []int
	for i := range left {
		for _, a := range ahead[i] {
			if left[a] {
				open[i]++
			}
		}
		if left[i] && open[i] == 0 {
			free = append(free, i)
		}
	}
	for len(free) > 0 {
		i := free[0]
		free = free[1:]
		left[i] = false
		for _, b := range behind[i] {
			if open[b]--; open[b] == 0 && left[b] {
				free = append(free, b)
			}
		}
	}
}

// shortest is a shortest circle through a service among those that are left, or empty.
func shortest(bases [][]int, left []bool, start int) []int {
	from := map[int]int{}
	for todo := []int{start}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		for _, base := range bases[at] {
			if base == start {
				circle := []int{at}
				for at != start {
					at = from[at]
					circle = append(circle, at)
				}
				slices.Reverse(circle)
				return circle
			}
			if _, seen := from[base]; !seen && left[base] {
				from[base] = at
				todo = append(todo, base)
			}
		}
	}
	return nil
}

// steps are the edges of a circle of services.
func (c *connection) steps(circle []int) []Edge {
	var steps []Edge
	for i, user := range circle {
		base := circle[(i+1)%len(circle)]
		at := slices.IndexFunc(c.states[user].edges, func(e stands) bool { return e.base == base })
		steps = append(steps, c.states[user].edges[at].Edge)
	}
	return steps
}

// graph is what has been found, in an order of its services.
func (c *connection) graph(order []int) Graph {
	g := Graph{Nodes: []Node{}, Edges: []Edge{}, Waiting: c.waiting, Notes: c.notes}
	for _, i := range order {
		s := &c.states[i]
		slices.SortFunc(s.added, platform.Platform.Compare)
		asked := slices.DeleteFunc(slices.Clone(c.services[i].Platforms), func(p platform.Platform) bool { return !slices.Contains(s.platforms, p) })
		g.Nodes = append(g.Nodes, Node{Name: c.services[i].Name, Platforms: slices.Concat(asked, s.added), Added: s.added})
		g.Edges = append(g.Edges, c.edges(i, slices.Concat(asked, s.added))...)
	}
	return g
}

// edges of a service, platform by platform.
func (c *connection) edges(service int, platforms []platform.Platform) []Edge {
	byPlatform := map[platform.Platform][]Edge{}
	for _, e := range c.states[service].edges {
		byPlatform[e.For] = append(byPlatform[e.For], e.Edge)
	}
	var list []Edge
	for _, on := range platforms {
		for _, e := range byPlatform[on] {
			if e.On != (platform.Platform{}) {
				list = append(list, e)
			}
		}
	}
	return list
}
