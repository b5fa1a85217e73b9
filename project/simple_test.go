package project_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

// simple is a project in which every image has one maker: bases[i][p] are the services that service i takes on platform p,
// each on the platform on.
type simple struct {
	platforms [][]platform.Platform
	takes     [][]take
}

type take struct {
	base int
	// on is nothing for the platform that is built.
	on platform.Platform
}

func drawSimple(r *rand.Rand) simple {
	n := 1 + r.IntN(12)
	s := simple{make([][]platform.Platform, n), make([][]take, n)}
	back := r.IntN(4) == 0 // one in four may have circles
	for i := range n {
		for _, p := range drawn {
			if r.IntN(2) == 0 || p == amd64 {
				s.platforms[i] = append(s.platforms[i], p)
			}
		}
		for range r.IntN(3) {
			base := r.IntN(n)
			if base == i || base > i && !back {
				continue
			}
			t := take{base: base}
			if r.IntN(4) == 0 {
				t.on = drawn[r.IntN(len(drawn))]
			}
			s.takes[i] = append(s.takes[i], t)
		}
	}
	return s
}

func (s simple) services(r *rand.Rand) []project.Service {
	var list []project.Service
	for _, i := range r.Perm(len(s.takes)) {
		name := fmt.Sprintf("s%d", i)
		list = append(list, project.Service{
			Name: name, Platforms: s.platforms[i], Made: []project.Made{{Name: "shop/" + name + ":1", From: "image"}},
			Takes: func(on platform.Platform) ([]project.Taken, error) {
				var taken []project.Taken
				for line, t := range s.takes[i] {
					one := project.Taken{Name: fmt.Sprintf("docker.io/shop/s%d:1", t.base), On: on, Where: "FROM", At: project.Place{File: name, Line: line + 1}}
					if t.on != (platform.Platform{}) {
						one.On = t.on
					}
					taken = append(taken, one)
				}
				return taken, nil
			},
		})
	}
	return list
}

// due is the graph as one would find it by hand: round after round until nothing changes.
func (s simple) due() (platforms []map[platform.Platform]bool, edges []string, circle bool) {
	n := len(s.takes)
	reach := make([][]bool, n)
	for i := range n {
		platforms = append(platforms, map[platform.Platform]bool{})
		reach[i] = make([]bool, n)
		for _, p := range s.platforms[i] {
			platforms[i][p] = true
		}
	}
	known := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for i := range n {
			for p := range platforms[i] {
				for line, t := range s.takes[i] {
					on := t.on
					if on == (platform.Platform{}) {
						on = p
					}
					edge := fmt.Sprintf("s%d %s < s%d %s %d", i, p, t.base, on, line+1)
					if !known[edge] {
						known[edge], changed = true, true
						edges = append(edges, edge)
					}
					platforms[t.base][on], reach[i][t.base] = true, true
				}
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	for i := range n {
		circle = circle || reach[i][i]
	}
	sort.Strings(edges)
	return platforms, edges, circle
}

func TestConnectFindsWhatOneFindsByHand(t *testing.T) {
	const projects = 1500
	circles := 0
	for seed := range uint64(projects) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := drawSimple(r)
		platforms, edges, circle := s.due()
		g, err := project.Connect(s.services(r), nil)
		var cycle *project.CycleError
		if found := errors.As(err, &cycle); found != circle || err != nil && !found {
			t.Fatalf("seed %d: is there a circle? %v, and the error is %v", seed, circle, err)
		}
		if circle {
			circles++
			continue
		}
		var got []string
		for _, e := range g.Edges {
			got = append(got, fmt.Sprintf("%s %s < %s %s %d", e.User, e.For, e.Base, e.On, e.At.Line))
		}
		sort.Strings(got)
		if !slices.Equal(got, edges) {
			t.Fatalf("seed %d: the edges are\n%s\nwant\n%s", seed, strings.Join(got, "\n"), strings.Join(edges, "\n"))
		}
		checkGraph(t, s.services(r), g)
		for _, n := range g.Nodes {
			var i int
			fmt.Sscanf(n.Name, "s%d", &i)
			if len(n.Platforms) != len(platforms[i]) || !slices.ContainsFunc(n.Platforms, func(p platform.Platform) bool { return platforms[i][p] }) {
				t.Fatalf("seed %d: %v, want %v", seed, n, platforms[i])
			}
		}
	}
	if circles < 50 || circles > 1000 {
		t.Errorf("%d of 1500 projects have circles: the draw has become lopsided", circles)
	}
}

// chain is a project in which each service stands on the one before it and on one far below.
func chain(n int, ring bool) []project.Service {
	var list []project.Service
	for i := range n {
		from := []string{"debian"}
		if i > 0 {
			from = []string{fmt.Sprintf("shop/s%d:1", i-1), fmt.Sprintf("linux/riscv64 shop/s%d:1", i/2), "shop/s0:2"}
		} else if ring {
			from = []string{fmt.Sprintf("shop/s%d:1", n-1)}
		}
		list = append(list, service(fmt.Sprintf("s%d", i), []string{fmt.Sprintf("shop/s%d:1", i)}, from...))
	}
	slices.Reverse(list)
	return list
}

func TestAThousandServicesAreConnectedAtOnce(t *testing.T) {
	const n, limit = 1000, 5 * time.Second // a tenth of a second on a machine that does nothing else
	began := time.Now()
	g, err := project.Connect(chain(n, false), nil)
	if err != nil || len(g.Nodes) != n || g.Nodes[0].Name != "s0" || g.Nodes[n-1].Name != "s999" {
		t.Fatalf("%d services: %v", len(g.Nodes), err)
	}
	if took := time.Since(began); took > limit {
		t.Errorf("it took %s", took)
	}
	began = time.Now()
	_, err = project.Connect(chain(n, true), nil)
	var cycle *project.CycleError
	if !errors.As(err, &cycle) {
		t.Fatal("no circle")
	}
	if took := time.Since(began); took > limit {
		t.Errorf("with a circle it took %s", took)
	}
}

func BenchmarkConnect(b *testing.B) {
	services := chain(1000, false)
	for b.Loop() {
		if _, err := project.Connect(services, nil); err != nil {
			b.Fatal(err)
		}
	}
}
