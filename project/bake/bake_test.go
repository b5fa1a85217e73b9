package bake_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/project/bake"
)

func write(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProjectHasEverythingAFlagWouldSay(t *testing.T) {
	write(t, map[string]string{"shop/docker-bake.hcl": `
group "default" { targets = ["app"] }
target "base" {
  context = "base"
}
target "_parent" {
  tags = ["shop/app:1",
          "shop/app:latest"]
}
target "app" {
  inherits   = ["_parent"]
  context    = "app"
  dockerfile = "Dockerfile.small"
  target     = "final"
  contexts   = {
    base  = "target:base"
    data  = "./data"
    img   = "docker-image://debian"
    there = "oci-layout://layout"
  }
  args       = { A = "1" }
  platforms  = ["linux/amd64"]
  cache-from = [{ type = "local", src = "cache" }, "shop/cache"]
  cache-to   = ["type=gha,mode=max"]
  output     = [{ type = "oci", dest = "out.tar", "annotation.x" = "a,b" }]
  attest     = [{ type = "sbom", disabled = true }]
  secret     = [{ id = "s", src = "secret" }, "id=e,env=E"]
  ssh        = [{ id = "k", paths = ["key", "/key"] }]
  extra-hosts = { b = "2.2.2.2", a = "1.1.1.1" }
  network     = "host"
  no-cache    = true
  tag         = "x"
}
`})
	got, err := bake.Load(bake.Options{Dir: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	file := "shop/docker-bake.hcl"
	place := func(line int) project.Place { return project.Place{File: file, Line: line} }
	one := "1"
	want := project.Project{
		Files: []string{file}, Default: []string{"default"},
		Groups: []project.Group{{Name: "default", Members: []string{"app"}, At: place(2)}},
		Notes:  []string{file + ":32: a target has no tag, which is passed over: tags is meant?"},
		Targets: []project.Target{
			{Name: "base", At: place(3), Context: "shop/base", Places: map[string]project.Place{"context": place(4)}},
			{Name: "_parent", At: place(6), Context: "shop", Tags: []string{"shop/app:1", "shop/app:latest"},
				Places: map[string]project.Place{"tags": place(7), "tags shop/app:1": place(7), "tags shop/app:latest": place(8)}},
			{
				Name: "app", At: place(10), Context: "shop/app", Dockerfile: "Dockerfile.small", Stage: "final",
				Places: map[string]project.Place{"tags": place(7), "tags shop/app:1": place(7), "tags shop/app:latest": place(8), "context": place(12), "dockerfile": place(13), "target": place(14), "platforms": place(22),
					"cache-from": place(23), "cache-to": place(24), "output": place(25), "secret": place(27), "ssh": place(28)},
				Contexts: []project.NamedContext{
					{Name: "base", Value: "target:base", At: place(16)}, {Name: "data", Value: "shop/data", At: place(17)},
					{Name: "img", Value: "docker-image://debian", At: place(18)}, {Name: "there", Value: "oci-layout://shop/layout", At: place(19)},
				},
				Args: map[string]*string{"A": &one}, Tags: []string{"shop/app:1", "shop/app:latest"}, Platforms: []string{"linux/amd64"},
				CacheFrom: []string{"type=local,src=shop/cache", "type=registry,ref=shop/cache"}, CacheTo: []string{"type=gha,mode=max"},
				Outputs: []string{`type=oci,dest=shop/out.tar,"annotation.x=a,b"`}, Attests: []string{"type=sbom,disabled=true"},
				Secrets: []string{"id=s,src=shop/secret", "id=e,env=E"}, SSH: []string{"k=shop/key,/key"},
				ExtraHosts: []string{"a=1.1.1.1", "b=2.2.2.2"}, Network: "host", Allow: []string{"network.host"}, NoCache: true,
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATargetThatNobodyAsksForIsLeftOut(t *testing.T) {
	file := map[string]string{"docker-bake.hcl": "target \"default\" {}\ntarget \"bad\" { inherits = [\"nobody\"] }\n"}
	write(t, file)
	p, err := bake.Load(bake.Options{})
	if err != nil || len(p.Targets) != 1 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "docker-bake.hcl:2: target bad inherits from nobody") {
		t.Errorf("%+v, %v", p, err)
	}
	var wrong *bake.Error
	if _, err := bake.Load(bake.Options{Names: []string{"bad"}}); !errors.As(err, &wrong) || wrong.Place.Line != 2 || wrong.Hint() == "" {
		t.Errorf("asked for, it is no error: %v", err)
	}
}

// TestAFileIsBounded reads files that ask for much more than a bake file is for. Each is one error, soon.
func TestAFileIsBounded(t *testing.T) {
	axis := "[" + strings.Repeat("1,", 999) + "1]"
	deep := strings.Repeat
	for name, tt := range map[string]struct{ file, text, want string }{
		"four megabytes":              {"docker-bake.hcl", deep("#", 4<<20+1), "longer than 4194304 bytes"},
		"a matrix of a million":       {"docker-bake.hcl", "target \"a\" {\n  name = \"a-${x}-${y}\"\n  matrix = {\n    x = " + axis + "\n    y = " + axis + "\n  }\n}", "docker-bake.hcl:3: the bake file has more than 10000 targets"},
		"many matrices":               {"docker-bake.hcl", manyMatrices(axis, 11), "docker-bake.hcl:43: the bake file has more than 10000 targets"},
		"brackets":                    {"docker-bake.hcl", "a = " + deep("[", 100_000), "nested more than 200 deep"},
		"brackets of JSON":            {"docker-bake.json", `{"a": ` + deep("[", 100_000), "nested more than 200 deep"},
		"not not not":                 {"docker-bake.hcl", "a = " + deep("!", 100_000) + "true", "nested more than 200 deep"},
		"templates":                   {"docker-bake.hcl", "a = " + deep(`"${`, 10_000), "nested more than 200 deep"},
		"templates in a JSON":         {"docker-bake.json", `{"target": {"default": {"tags": ["` + deep("${[", 10_000) + `"]}}}`, "nested more than 200 deep"},
		"conditions":                  {"docker-bake.hcl", "a = " + deep("true ? 1 : ", 15_000) + "1", "nested more than 200 deep"},
		"a sum":                       {"docker-bake.hcl", "a = " + deep("1+", 150_000) + "1", "words and signs"},
		"a message that is no string": {"docker-bake.hcl", "variable \"A\" {\n  validation {\n    condition = false\n    error_message = 3\n  }\n}\ntarget \"default\" {}", "a value cannot be evaluated"},
		"a folder":                    {"docker-bake.hcl/x", "", "it is a folder"},
		"a compose file":              {"compose.yaml", "services: {}", "this is a compose file"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, map[string]string{tt.file: tt.text})
			began := time.Now()
			o := bake.Options{}
			if strings.HasPrefix(tt.file, "compose") {
				o.Files = []string{tt.file}
			}
			_, err := bake.Load(o)
			var wrong *bake.Error
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.want) || wrong.Hint() == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %.300v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestADefinitionIsNotFetched(t *testing.T) {
	write(t, nil)
	for _, name := range []string{"https://git.example/app.git", "https://example.com/docker-bake.hcl", "git@git.example:app.git"} {
		_, err := bake.Load(bake.Options{Files: []string{name}})
		var wrong *bake.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "it is an address") || !strings.Contains(wrong.Hint(), "git clone") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyMatrices(axis string, count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "target \"a%d\" {\n  name = \"a%d-${x}\"\n  matrix = { x = [for i, _ in %s: i] }\n}\n", i, i, axis)
	}
	return text.String()
}

// TestWhatIsJustSmallEnoughIsRead goes to the bounds from below: the stack holds.
func TestWhatIsJustSmallEnoughIsRead(t *testing.T) {
	sum := "  args = { A = " + strings.Repeat("1+", 90_000) + "1 }\n"
	choice := "  args = { B = " + strings.Repeat("false ? 1 : ", 9_000) + "1 }\n"
	for name, text := range map[string]string{"a sum": sum, "conditions": choice, "an index": "  args = { C = try(" + "a" + strings.Repeat("[0]", 60_000) + ", 1) }\n"} {
		t.Run(name, func(t *testing.T) {
			write(t, map[string]string{"docker-bake.hcl": "target \"default\" {\n" + text + "}\n"})
			if _, err := bake.Load(bake.Options{}); err != nil {
				t.Errorf("%.300v", err)
			}
		})
	}
}

func TestALargeProjectIsReadSoon(t *testing.T) {
	var text strings.Builder
	text.WriteString("target \"a\" {\n  name = \"a-${x}\"\n  matrix = { x = range(0, 1000) }\n  tags = [\"a:${x}\"]\n}\ngroup \"default\" { targets = [\"a\"] }\n")
	write(t, map[string]string{"docker-bake.hcl": text.String()})
	began := time.Now()
	p, err := bake.Load(bake.Options{})
	if err != nil || len(p.Targets) != 1000 {
		t.Fatalf("%d targets: %v", len(p.Targets), err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("1000 targets took %v", took)
	}
}
