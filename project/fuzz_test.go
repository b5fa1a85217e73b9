package project_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

// draw takes the choices of a case from the bytes of its input; when they end, all is 0.
type draw struct{ rest []byte }

func (d *draw) of(n int) int {
	if len(d.rest) == 0 {
		return 0
	}
	b := int(d.rest[0])
	d.rest = d.rest[1:]
	return b % n
}

// image is one of few names, so that many are equal, or a few bytes that may be no name.
func (d *draw) image() string {
	if n := d.of(12); n < 10 {
		return fmt.Sprintf("%s%d%s", []string{"", "shop/", "docker.io/library/", "docker.io/shop/"}[d.of(4)], n, []string{"", ":1", ":latest", ":2"}[d.of(4)])
	}
	n := min(d.of(6), len(d.rest))
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *draw) name() string { return fmt.Sprint(d.of(14)) }

var drawn = []platform.Platform{amd64, arm64, riscv}

// services of one case, and what each asks for on each platform.
func (d *draw) services() []project.Service {
	var list []project.Service
	for i := range 1 + d.of(12) {
		s := project.Service{Name: fmt.Sprint(i), Aside: d.of(4) == 1, Listed: d.of(5) == 1, At: project.Place{File: "f", Line: i + 1}}
		for j := range 1 + d.of(3) {
			s.Platforms = append(s.Platforms, drawn[j])
		}
		for range d.of(3) {
			s.Made = append(s.Made, project.Made{Name: d.image(), From: "image", At: s.At})
		}
		if d.of(6) == 1 {
			s.Needs = append(s.Needs, project.Need{Name: d.name(), Why: "drawn"})
		}
		asked := map[platform.Platform][]project.Taken{}
		for range d.of(4) {
			t := project.Taken{Name: d.image(), Where: []string{"FROM", "COPY --from"}[d.of(2)], Waits: d.of(8) == 1}
			if d.of(8) == 1 {
				t.Target = d.name()
			}
			fixed := d.of(6)
			for _, on := range drawn {
				t.On = on
				if fixed < len(drawn) {
					t.On = drawn[fixed]
				}
				asked[on] = append(asked[on], t)
			}
		}
		s.Takes = func(on platform.Platform) ([]project.Taken, error) { return asked[on], nil }
		if d.of(3) == 1 {
			brought := []string{d.image(), d.image()}
			s.Onbuild = func(platform.Platform) []string { return brought }
		}
		s.Fires = func(on platform.Platform, _ project.Taken, instructions []string) ([]project.Taken, error) {
			list := asked[on]
			for _, name := range instructions {
				list = append(slices.Clip(list), project.Taken{Name: name, On: on, Where: "FROM"})
			}
			return list, nil
		}
		list = append(list, s)
	}
	return list
}

// FuzzConnect: Connect ends. Without an error every service that was asked for is in the graph, and each once; a base stands
// before its users; both ends of an edge are built for its platforms; nothing is built that was neither asked for nor needed; and
// the same again gives the same. With errors each says something and has a hint, and the circles among them are circles.
func FuzzConnect(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 0, 0, 1, 1, 2, 1, 1, 0, 1, 1, 2, 0, 0, 1, 0, 0, 0, 9})
	f.Add([]byte("a project that nobody has ever had, with names that are none, and needs that come back to where they went from"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &draw{data}
		services := d.services()
		var links []project.Link
		for range d.of(3) {
			link := project.Link{Name: d.image(), Base: d.name()}
			if d.of(2) == 1 {
				link.User = d.name()
			}
			links = append(links, link)
		}
		g, err := project.Connect(services, links)
		again, err2 := project.Connect(services, links)
		if !reflect.DeepEqual(g, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("twice the same, and two answers: %v\n%v\n%v\n%v", g, again, err, err2)
		}
		if err != nil {
			checkErrors(t, err)
			return
		}
		checkGraph(t, services, g)
	})
}

func checkGraph(t *testing.T, services []project.Service, g project.Graph) {
	t.Helper()
	place := map[string]int{}
	for i, n := range g.Nodes {
		if _, twice := place[n.Name]; twice {
			t.Fatalf("%s is there twice", n.Name)
		}
		place[n.Name] = i
	}
	needed := map[string]bool{}
	for _, e := range g.Edges {
		user, base := g.Nodes[place[e.User]], g.Nodes[place[e.Base]]
		if place[e.Base] >= place[e.User] || user.Name != e.User || base.Name != e.Base {
			t.Fatalf("%s stands on %s, and does not come after it: %v", e.User, e.Base, g.Nodes)
		}
		if !slices.Contains(user.Platforms, e.For) || !slices.Contains(base.Platforms, e.On) {
			t.Fatalf("%v between %v and %v", e, user, base)
		}
		if e.Why == "" {
			t.Fatalf("no reason: %v", e)
		}
		needed[fmt.Sprint(e.Base, e.On)], needed[e.Base] = true, true
	}
	byName := map[string]bool{} // Those that others need by name are built whole.
	for _, s := range services {
		if _, there := place[s.Name]; there {
			for _, need := range s.Needs {
				byName[need.Name] = true
			}
		}
	}
	for _, s := range services {
		at, there := place[s.Name]
		if there != (!s.Aside || needed[s.Name]) {
			t.Fatalf("%s is lost, or is too much", s.Name)
		}
		if !there {
			continue
		}
		n := g.Nodes[at]
		for _, p := range s.Platforms {
			due := !s.Aside || byName[s.Name] || needed[fmt.Sprint(s.Name, p)]
			if slices.Contains(n.Platforms, p) != due || slices.Contains(n.Added, p) {
				t.Fatalf("%s was asked for on %s, and needed: %v; %v", s.Name, p, due, n)
			}
		}
		for _, p := range n.Added {
			if s.Listed || !needed[fmt.Sprint(s.Name, p)] {
				t.Fatalf("nobody needs %s on %s", s.Name, p)
			}
		}
		for _, p := range n.Platforms {
			if slices.Contains(s.Platforms, p) == slices.Contains(n.Added, p) {
				t.Fatalf("%v of %v", n, s.Platforms)
			}
		}
	}
	var all []string
	for _, n := range g.Nodes {
		all = append(all, n.Name)
	}
	if needed := g.Needed(all); !slices.Equal(needed, all) {
		t.Fatalf("all need %v", needed)
	}
}

func checkErrors(t *testing.T, err error) {
	t.Helper()
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) == 0 {
		t.Fatalf("no list of errors: %v", err)
	}
	for _, err := range joined.Unwrap() {
		hinted, ok := err.(interface{ Hint() string })
		if err.Error() == "" || !ok || hinted.Hint() == "" {
			t.Fatalf("%q has no hint", err)
		}
		var cycle *project.CycleError
		if !errors.As(err, &cycle) {
			continue
		}
		for i, step := range cycle.Steps {
			if next := cycle.Steps[(i+1)%len(cycle.Steps)]; step.Base != next.User {
				t.Fatalf("no circle: %v", cycle.Steps)
			}
		}
	}
}
