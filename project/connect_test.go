package project_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
	riscv = platform.MustParse("linux/riscv64")
)

// service is one of a table. The lines of from are the images that its Dockerfile names,
// each as "[PLATFORM] NAME [= TARGET]": without a platform for the one that is built.
func service(name string, images []string, from ...string) project.Service {
	s := project.Service{
		Name: name, At: project.Place{File: "compose.yaml", Line: len(name)}, Platforms: []platform.Platform{amd64, arm64},
		Takes: func(on platform.Platform) ([]project.Taken, error) { return taken(name, on, from), nil },
	}
	s.Onbuild = func(on platform.Platform) []string {
		var list []string
		for _, t := range taken(name, on, from) {
			if t.Waits {
				list = append(list, t.Name)
			}
		}
		return list
	}
	s.Fires = func(on platform.Platform, base project.Taken, instructions []string) ([]project.Taken, error) {
		var list []project.Taken
		for _, i := range instructions {
			list = append(list, project.Taken{Name: i, On: on, Where: "ONBUILD COPY --from", At: base.At})
		}
		return list, nil
	}
	for _, image := range images {
		s.Made = append(s.Made, project.Made{Name: image, From: "image", At: project.Place{File: "compose.yaml", Line: len(name) + 1}})
	}
	return s
}

func taken(name string, on platform.Platform, from []string) []project.Taken {
	var list []project.Taken
	for i, text := range from {
		t := project.Taken{On: on, Where: "FROM", Stage: fmt.Sprint(i), At: project.Place{File: name + "/Dockerfile", Line: i + 1}}
		words := strings.Fields(text)
		if p, err := platform.Parse(words[0]); err == nil {
			t.On, words = p, words[1:]
		}
		if words[0] == "ONBUILD" {
			t.Waits, t.Where, words = true, "ONBUILD COPY --from", words[1:]
		}
		t.Name = words[0]
		if len(words) == 3 {
			t.Target, t.TargetAt = words[2], project.Place{File: "compose.yaml", Line: 90}
		}
		list = append(list, t)
	}
	return list
}

// shown writes a graph as rows that a table can hold: "USER PLATFORM < BASE PLATFORM".
func shown(g project.Graph) []string {
	var rows []string
	for _, e := range g.Edges {
		rows = append(rows, fmt.Sprintf("%s %s < %s %s", e.User, e.For.Arch, e.Base, e.On.Arch))
	}
	return rows
}

func order(g project.Graph) string {
	var names []string
	for _, n := range g.Nodes {
		text := n.Name
		for _, p := range n.Added {
			text += "+" + p.Arch
		}
		names = append(names, text)
	}
	return strings.Join(names, " ")
}

func TestConnect(t *testing.T) {
	both := func(user, base string) []string {
		return []string{user + " amd64 < " + base + " amd64", user + " arm64 < " + base + " arm64"}
	}
	for name, tt := range map[string]struct {
		services []project.Service
		links    []project.Link
		order    string
		edges    []string
		notes    []string
	}{
		"nobody stands on anybody": {
			services: []project.Service{service("web", nil, "debian"), service("api", nil, "debian")},
			order:    "web api",
		},
		"a base comes before its user, and nobody else moves": {
			services: []project.Service{service("web", nil, "shop/base:1"), service("api", nil, "debian"), service("base", []string{"shop/base:1"}, "debian")},
			order:    "base web api",
			edges:    both("web", "base"),
		},
		"names are compared in full": {
			services: []project.Service{service("web", nil, "docker.io/shop/base"), service("base", []string{"shop/base:latest"})},
			order:    "base web",
			edges:    both("web", "base"),
		},
		"a digest is never an image of the project": {
			services: []project.Service{service("web", nil, "shop/base:1@sha256:"+strings.Repeat("a", 64)), service("base", []string{"shop/base:1"})},
			order:    "web base",
		},
		"another tag is told of": {
			services: []project.Service{service("web", nil, "shop/base:1"), service("base", []string{"shop/base:2"})},
			order:    "web base",
			notes:    []string{"web asks for shop/base:1 (web/Dockerfile:1), which comes from a registry: base makes shop/base:2; --link web:shop/base:1=base builds on that one"},
		},
		"a link makes an edge of another tag": {
			services: []project.Service{service("web", nil, "shop/base:1"), service("base", []string{"shop/base:2"})},
			links:    []project.Link{{User: "web", Name: "docker.io/shop/base:1", Base: "base"}},
			order:    "base web",
			edges:    both("web", "base"),
		},
		"a link for all holds for all but its base": {
			services: []project.Service{service("web", nil, "debian"), service("base", nil, "debian")},
			links:    []project.Link{{Name: "debian", Base: "base"}},
			order:    "base web",
			edges:    both("web", "base"),
		},
		"a service's own name is an image's where it is written bare": {
			services: []project.Service{service("web", nil, "base"), service("api", nil, "docker.io/library/base"), service("base", nil, "debian")},
			order:    "base web api",
			edges:    both("web", "base"),
		},
		"an image that is called like a folder is told of once": {
			services: []project.Service{service("web", nil, "shop/base:1"), service("api", nil, "shop/base:1"), service("base", nil)},
			order:    "web api base",
			notes:    []string{"shop/base:1 (web/Dockerfile:1) comes from a registry; if base is meant: --link shop/base:1=base"},
		},
		"an image that is called like a service which has another name is somebody else's": {
			services: []project.Service{service("web", nil, "other/base:1"), service("base", []string{"shop/base:1"})},
			order:    "web base",
		},
		"a service's own name is nobody's image where the service is built on that": {
			services: []project.Service{service("web", nil, "nginx"), service("nginx", nil, "nginx:1.27")},
			order:    "web nginx",
		},
		"a service that makes an image goes before one of that name": {
			services: []project.Service{service("web", nil, "base"), service("base", nil), service("other", []string{"base"})},
			order:    "other web base",
			edges:    both("web", "other"),
		},
		"an image of its own is the one of before": {
			services: []project.Service{service("app", []string{"app:1"}, "app:1")},
			order:    "app",
			notes:    []string{"app asks for app:1, which it makes itself (app/Dockerfile:1): what it is built on is the image that the registry has by that name"},
		},
		"a named context goes before a name": {
			services: []project.Service{service("web", nil, "base = tools"), service("base", []string{"base"}), service("tools", nil)},
			order:    "tools web base",
			edges:    both("web", "tools"),
		},
		"a base gets the platforms that its users need": {
			services: []project.Service{service("web", nil, "riscv64 base"), service("base", []string{"base"}, "root"), service("root", []string{"root"})},
			order:    "root+riscv64 base+riscv64 web",
			edges: []string{"base amd64 < root amd64", "base arm64 < root arm64", "base riscv64 < root riscv64",
				"web amd64 < base riscv64", "web arm64 < base riscv64"},
		},
		"a need is waited for, and no image taken": {
			services: []project.Service{need(service("web", nil), "tools"), service("tools", nil)},
			order:    "tools web",
			edges:    both("web", "tools"),
		},
		"who stands aside is built when somebody needs it": {
			services: []project.Service{service("web", nil, "base"), aside(service("base", []string{"base"}, "root")), aside(service("root", []string{"root"})), aside(service("docs", nil, "base"))},
			order:    "root base web",
			edges:    append(both("base", "root"), both("web", "base")...),
		},
		"who stands aside is built for what others need of it": {
			services: []project.Service{listed(service("web", nil, "base"), arm64), aside(service("base", []string{"base"}, "root")), aside(service("root", []string{"root"}))},
			order:    "root base web",
			edges:    []string{"base arm64 < root arm64", "web arm64 < base arm64"},
		},
		"of variants with one name the one that is built counts": {
			services: []project.Service{service("web", nil, "app:1"), aside(service("app", []string{"app:1"})), service("app-local", []string{"app:1"})},
			order:    "app-local web",
			edges:    both("web", "app-local"),
		},
		"what a base brings along is needed by its users": {
			services: []project.Service{service("web", nil, "base"), service("base", []string{"base"}, "ONBUILD tools"), service("tools", []string{"tools"})},
			order:    "base tools web",
			edges:    []string{"web amd64 < base amd64", "web amd64 < tools amd64", "web arm64 < base arm64", "web arm64 < tools arm64"},
		},
		"what a base brings along may be a stage of its user": {
			services: []project.Service{stage(service("web", nil, "base"), "tools", "data"), service("base", []string{"base"}, "ONBUILD tools"), service("tools", []string{"tools"}), service("data", []string{"data"})},
			order:    "base data web tools",
			edges:    []string{"web amd64 < base amd64", "web amd64 < data amd64", "web arm64 < base arm64", "web arm64 < data amd64"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := project.Connect(tt.services, tt.links)
			if err != nil {
				t.Fatal(err)
			}
			if got := order(g); got != tt.order {
				t.Errorf("the order is %q, want %q", got, tt.order)
			}
			if got := shown(g); !slices.Equal(got, tt.edges) {
				t.Errorf("the edges are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.edges, "\n"))
			}
			if !slices.Equal(g.Notes, tt.notes) {
				t.Errorf("the notes are %q, want %q", g.Notes, tt.notes)
			}
		})
	}
}

func need(s project.Service, name string) project.Service {
	s.Needs = append(s.Needs, project.Need{Name: name, Why: "it says so", At: project.Place{File: "docker-bake.hcl", Line: 7}})
	return s
}

func aside(s project.Service) project.Service {
	s.Aside = true
	return s
}

// stage has a service have a stage of a name, which needs an image.
func stage(s project.Service, name, image string) project.Service {
	fires := s.Fires
	s.Fires = func(on platform.Platform, from project.Taken, instructions []string) ([]project.Taken, error) {
		if slices.Contains(instructions, name) {
			return []project.Taken{{Name: image, On: amd64, Where: "FROM", At: project.Place{File: s.Name + "/Dockerfile", Line: 9}}}, nil
		}
		return fires(on, from, instructions)
	}
	return s
}

func listed(s project.Service, platforms ...platform.Platform) project.Service {
	s.Platforms, s.Listed, s.ListedAt = platforms, true, project.Place{File: "compose.yaml", Line: 60}
	return s
}

func TestWhatWaitsForOtherBuildsIsToldApart(t *testing.T) {
	g, err := project.Connect([]project.Service{service("base", []string{"base"}, "ONBUILD tools", "ONBUILD debian"), aside(service("tools", []string{"tools"}))}, nil)
	if err != nil || order(g) != "base" || len(g.Edges) != 0 {
		t.Fatalf("%v: %+v", err, g)
	}
	if len(g.Waiting) != 2 || g.Waiting[0].Name != "tools" || g.Waiting[0].Base != "tools" || g.Waiting[1].For != arm64 {
		t.Errorf("waiting are %+v", g.Waiting)
	}
}

func TestConnectRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		services []project.Service
		links    []project.Link
		// want are the errors, each with its hint after a bar.
		want []string
	}{
		"two services that make one name": {
			services: []project.Service{service("web", []string{"shop:1"}), service("api2", []string{"docker.io/library/shop:1"})},
			want:     []string{"compose.yaml:5: api2 makes the image docker.io/library/shop:1, and web makes it as well (compose.yaml:4) | give the image of one of them another name or tag"},
		},
		"two services of one name": {
			services: []project.Service{service("web", nil), service("web", nil)},
			want:     []string{"compose.yaml:3: there is a service web already (compose.yaml:3) | give one of them another name"},
		},
		"a circle": {
			services: []project.Service{service("a", []string{"a"}, "b"), service("b", []string{"b"}, "debian", "c"), service("c", []string{"c"}, "a"), service("d", nil, "a")},
			want: []string{"a/Dockerfile:1: 3 services need each other in a circle: a → b (a/Dockerfile:1) → c (b/Dockerfile:2) → a (c/Dockerfile:1)" +
				" | let one of these lines name another image; the one that a registry holds by now is named with its digest: NAME@sha256:…"},
		},
		"a link to itself": {
			services: []project.Service{service("a", nil, "debian")},
			links:    []project.Link{{User: "a", Name: "debian", Base: "a"}},
			want:     []string{"a/Dockerfile:1: a is to be built on itself: a → a (a/Dockerfile:1) | leave out --link a:debian=a"},
		},
		"needs in a circle": {
			services: []project.Service{need(service("a", nil), "b"), need(service("b", nil), "a")},
			want:     []string{"docker-bake.hcl:7: 2 services need each other in a circle: a → b (docker-bake.hcl:7) → a (docker-bake.hcl:7) | take one of these needs out"},
		},
		"links to nowhere, each by itself": {
			services: []project.Service{service("web", nil, "debian"), service("base", nil)},
			links:    []project.Link{{User: "wbe", Name: "debian", Base: "base"}, {Name: "debian", Base: "bse"}, {User: "web", Name: "debain", Base: "base"}, {User: "base", Name: "debian", Base: "web"}},
			want: []string{
				`--link wbe:debian=base: there is no service "wbe" | did you mean web?`,
				`--link debian=bse: there is no service "bse" | did you mean base?`,
				`--link web:debain=base: web does not ask for debain | did you mean debian?`,
				`--link base:debian=web: base does not ask for debian | leave the link out: no image is asked for at all`,
			},
		},
		"two links that contradict each other": {
			services: []project.Service{service("web", nil, "debian"), service("a", nil), service("b", nil)},
			links:    []project.Link{{User: "web", Name: "debian", Base: "a"}, {User: "web", Name: "debian:latest", Base: "b"}},
			want:     []string{"--link web:debian:latest=b: --link web:debian=a says something else of the same image | leave one of them out"},
		},
		"a context and a need that name no target": {
			services: []project.Service{need(service("web", nil, "base = bsae"), "tolls"), service("base", nil), service("tools", nil)},
			want: []string{
				`docker-bake.hcl:7: what web needs: there is no service "tolls" | did you mean tools?`,
				`compose.yaml:90: the context base of web: there is no service "bsae" | did you mean base?`,
			},
		},
		"a base that lacks a platform of its user": {
			services: []project.Service{service("web", nil, "base"), listed(service("base", []string{"base"}), amd64)},
			want:     []string{"web/Dockerfile:1: web takes base from base for linux/arm64, and that is built for linux/amd64 alone (compose.yaml:60) | add linux/arm64 to the platforms of base (compose.yaml:60)"},
		},
		"a base that lacks the build platform": {
			services: []project.Service{service("web", nil, "riscv64 base"), listed(service("base", []string{"base"}), amd64, arm64)},
			want:     []string{"web/Dockerfile:1: web takes base from base for linux/riscv64, and that is built for linux/amd64, linux/arm64 alone (compose.yaml:60) | add linux/riscv64 to the platforms of base (compose.yaml:60)"},
		},
		"variants with one name, none of which is built": {
			services: []project.Service{service("web", nil, "app:1"), aside(service("app", []string{"app:1"})), aside(service("local", []string{"app:1"}))},
			want:     []string{"compose.yaml:6: local makes the image app:1, and app makes it as well (compose.yaml:4) | give the image of one of them another name or tag"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := project.Connect(tt.services, tt.links)
			if got := told(t, err); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// told lists the errors of a joined one, each with its hint.
func told(t *testing.T, err error) []string {
	t.Helper()
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("no list of errors: %v", err)
	}
	var list []string
	for _, err := range joined.Unwrap() {
		var hinted interface{ Hint() string }
		if !errors.As(err, &hinted) {
			t.Errorf("%v has no hint", err)
			continue
		}
		list = append(list, err.Error()+" | "+hinted.Hint())
	}
	return list
}
