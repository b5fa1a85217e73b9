package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Table is the answer: services that can run nowhere first, else in the order that they were given.
type Table struct {
	Scheduler Scheduler `json:"for,omitempty"`
	// Platforms are those of the cluster; of a cluster that is not known, all that some image names.
	Platforms []platform.Platform `json:"platforms"`
	Rows      []Row               `json:"services"`
}

// Row is one service.
type Row struct {
	Service string `json:"service"`
	At      string `json:"at,omitempty"`
	// Object is where Kubernetes finds it.
	Object *Object `json:"object,omitempty"`
	// Images are those of its containers, in their order.
	Images []Fact `json:"images"`
	Cells  []Cell `json:"cells"`
	// Nowhere says that it can run on no machine of the cluster.
	Nowhere bool `json:"nowhere"`
	// Unknown says that an image of it could not be looked at, so that nothing is known.
	Unknown bool `json:"unknown,omitempty"`
	// Contradictions are what is written by hand and cannot be.
	Contradictions []Contradiction `json:"contradictions,omitempty"`
	Notes          []string        `json:"notes,omitempty"`
	Demand         Demand          `json:"demand"`
}

// Fact is what is known of an image of a service.
type Fact struct {
	Container string              `json:"container,omitempty"`
	Init      bool                `json:"init,omitempty"`
	Image     string              `json:"image"`
	Digest    string              `json:"digest,omitempty"`
	From      string              `json:"from,omitempty"`
	Platforms []platform.Platform `json:"platforms"`
}

// Cell says whether a service can run on machines of a platform.
type Cell struct {
	Platform platform.Platform `json:"platform"`
	Runs     bool              `json:"runs"`
	// Why is a clause.
	Why string `json:"why"`
	// Nodes are those it can run on, where nodes have names.
	Nodes []string `json:"nodes,omitempty"`
}

// Contradiction is something written by hand that the service's images cannot follow.
type Contradiction struct {
	At   string `json:"at,omitempty"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

// Decide answers for each service. Images are by name; of a service with one that is missing nothing is known.
func Decide(services []Service, images map[string]Image, c Cluster, s Scheduler) Table {
	t := Table{Scheduler: s, Platforms: c.Platforms(), Rows: []Row{}}
	known := len(c.Nodes) > 0
	if !known {
		t.Platforms = named(services, images)
	}
	var others []Row
	for _, service := range services {
		row := row(service, images, c, t.Platforms, s)
		if row.Nowhere && known {
			t.Rows = append(t.Rows, row)
		} else {
			others = append(others, row)
		}
	}
	t.Rows = append(t.Rows, others...)
	return t
}

// named are all platforms that some image says it holds.
func named(services []Service, images map[string]Image) []platform.Platform {
	list := []platform.Platform{}
	for _, s := range services {
		for _, c := range s.Containers {
			for _, h := range images[c.Image].Held {
				if !slices.Contains(list, h.Platform) {
					list = append(list, h.Platform)
				}
			}
		}
	}
	slices.SortFunc(list, platform.Platform.Compare)
	return list
}

// deciding is one service, its images and the machines there are.
type deciding struct {
	Service
	images []Image
	nodes  []Node
	by     Scheduler
}

func row(service Service, images map[string]Image, c Cluster, platforms []platform.Platform, s Scheduler) Row {
	r := Row{Service: service.Name, At: service.At, Object: service.Object, Images: []Fact{}, Cells: []Cell{}}
	d := deciding{Service: service, nodes: c.Nodes, by: s}
	for _, container := range service.Containers {
		image, known := images[container.Image]
		r.Unknown = r.Unknown || !known
		if !known {
			r.Images = append(r.Images, Fact{Container: container.Name, Init: container.Init, Image: container.Image, Platforms: []platform.Platform{}})
			continue
		}
		d.images = append(d.images, image)
		r.Images = append(r.Images, Fact{container.Name, container.Init, image.Name, image.Digest, image.From, append([]platform.Platform{}, image.Good()...)})
	}
	if r.Unknown || len(d.images) == 0 {
		r.Unknown = true
		return r
	}
	if len(d.nodes) == 0 {
		d.nodes = Listed(platforms).Nodes
	}
	r.Nowhere = true
	for _, p := range platforms {
		cell := d.cell(p)
		r.Cells = append(r.Cells, cell)
		r.Nowhere = r.Nowhere && !cell.Runs
	}
	r.Contradictions = d.contradictions(c)
	q := d.question(c)
	r.Demand = q.demand(s)
	r.Notes = d.notes(q)
	return r
}

// cell looks at the nodes of one platform.
func (d deciding) cell(p platform.Platform) Cell {
	cell := Cell{Platform: p}
	var against string
	for _, n := range d.nodes {
		if n.Platform != p {
			continue
		}
		runs, why := d.runs(n)
		if !runs {
			if against == "" {
				against = why
			}
			continue
		}
		cell.Runs, cell.Why = true, why
		if !n.Any && n.Name != "" {
			cell.Nodes = append(cell.Nodes, n.Name)
		}
	}
	if !cell.Runs {
		cell.Why = against
	}
	return cell
}

// runs tells whether the service can run on a node as things are, and why.
func (d deciding) runs(n Node) (bool, string) {
	holds, why := d.holds(n.Platform)
	if !holds {
		return false, why
	}
	if a, line := d.allowed(n, everything); a == no {
		return false, line.Text + at(line.At) + " excludes it"
	}
	if d.MinMemory > 0 && n.Memory > 0 && n.Memory < d.MinMemory {
		return false, fmt.Sprintf("%s has less than %s of memory", n.Name, memory(d.MinMemory, " "))
	}
	if taint, kept := d.Pod.untolerated(n); kept && d.Object != nil {
		return false, fmt.Sprintf("%s has the taint %s, which the pod does not tolerate", n.Name, taint.Key)
	}
	if n.Closed != "" {
		return false, n.Name + " is " + n.Closed
	}
	return true, why
}

// holds tells whether all images can run on a platform: for several containers, which one cannot.
func (d deciding) holds(p platform.Platform) (bool, string) {
	var reasons []string
	for _, image := range d.images {
		runs, why := image.Runs(p)
		if !runs {
			return false, why
		}
		if !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
	}
	return true, strings.Join(reasons, ", ")
}

// allowed is what is written by hand for the scheduler, and what of it keeps the service away.
func (d deciding) allowed(n Node, s scope) (answer, Line) {
	switch {
	case d.Object != nil:
		return d.Pod.allows(n, s), Line{"its node selector", d.Pod.At}
	case d.by == Cattle:
		return cattleAllows(d.HostLabels, n)
	}
	return swarmAllows(d.Constraints, n, s)
}

// question says which nodes are to be kept and which excluded. What hand-written words say of architectures
// holds for good, what they say of labels does not: so the first alone counts.
func (d deciding) question(c Cluster) question {
	q := question{service: d.Service, good: d.good()}
	for _, n := range c.Nodes {
		if a, _ := d.allowed(n, kindOnly); a == no {
			continue
		}
		if holds, _ := d.holds(n.Platform); !holds {
			q.out = append(q.out, n)
			continue
		}
		q.in = append(q.in, n)
		if d.MinMemory > 0 && n.Memory < d.MinMemory {
			q.small = append(q.small, n)
		}
	}
	return q
}

// good are the platforms that all images can run on.
func (d deciding) good() []platform.Platform {
	var list []platform.Platform
	for _, image := range d.images {
		for _, p := range image.Good() {
			if holds, _ := d.holds(p); holds && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	slices.SortFunc(list, platform.Platform.Compare)
	return list
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}
