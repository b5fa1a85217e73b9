package cross_test

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
)

// memory is a context in memory.
type memory map[string][]byte

func (m memory) Read(name string) ([]byte, bool) {
	text, ok := m[path.Clean(name)]
	return text, ok
}

func (m memory) List(dir string) ([]string, bool) {
	prefix := ""
	if dir = path.Clean(dir); dir != "." {
		prefix = dir + "/"
	}
	var names []string
	for name := range m {
		rest, below := strings.CutPrefix(name, prefix)
		if !below {
			continue
		}
		if first, _, inner := strings.Cut(rest, "/"); inner {
			rest = first + "/"
		}
		names = append(names, rest)
	}
	slices.Sort(names)
	return slices.Compact(names), len(names) > 0
}

// request is the job of a row.
func (r row) request(t *testing.T) cross.Request {
	t.Helper()
	read, err := template.Parse("Dockerfile", r.dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	req := cross.Request{Template: read, Target: arm64, Build: amd64, Stage: r.target, Args: map[string]string{}, Files: memory(r.context)}
	for _, arg := range r.args {
		name, value, _ := strings.Cut(arg, "=")
		req.Args[name] = value
	}
	uses, err := read.Uses(template.Env{Target: arm64, Build: amd64, Args: req.Args, TargetStage: r.target})
	if err != nil {
		t.Fatal(err)
	}
	req.Base = func(reference int) (cross.Base, bool) {
		for _, text := range r.bases {
			words := strings.Fields(text)
			if words[0] != uses[reference].Image {
				continue
			}
			switch _, rest, _ := strings.Cut(text, words[1]+" "); words[1] {
			case "platforms":
				var base cross.Base
				for _, word := range words[2:] {
					base.Platforms = append(base.Platforms, platform.MustParse(word))
				}
				return base, true
			case "env":
				return cross.Base{Env: []string{rest}}, true
			case "onbuild":
				return cross.Base{Onbuild: []string{rest}}, true
			}
		}
		return cross.Base{}, false
	}
	return req
}

func stageName(t *template.Template, i int) string {
	if name := t.Stages[i].Name; name != "" {
		return name
	}
	return strconv.Itoa(i)
}

func TestDecisionsAreThoseOfTheTable(t *testing.T) {
	moved, could := 0, 0
	for _, row := range rows(t) {
		t.Run(row.name, func(t *testing.T) {
			req := row.request(t)
			decisions := map[string]cross.Decision{}
			for _, d := range cross.Decide(req) {
				decisions[stageName(req.Template, d.Stage)] = d
			}
			for _, want := range row.wants {
				d, ok := decisions[want.stage]
				if want.unneeded {
					if ok {
						t.Errorf("%s: decided %+v, though nothing needs it", want.stage, d)
					}
					continue
				}
				if want.recipe != "" {
					could++
				}
				if d.Move {
					moved++
				}
				if !ok || !want.allows(d) {
					t.Errorf("%s: %s\nmove %t %s; obstacles %+v", want.stage, row.why, d.Move, d.Recipe, d.Obstacles)
				}
			}
		})
	}
	t.Logf("%d of %d stages that may move do", moved, could)
}

// allows tells whether a decision is one of those wanted.
func (w want) allows(d cross.Decision) bool {
	if d.Move {
		return w.recipe == d.Recipe
	}
	return slices.ContainsFunc(d.Obstacles, func(o cross.Obstacle) bool {
		return slices.Contains(w.kinds, string(o.Kind)) && o.Line == w.line
	})
}
