package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/project/compose"
	"golang.org/x/tools/txtar"
)

// FuzzCompose reads what anybody may have written. It must not panic or take long, every error has a place
// and a hint, services are told apart by their names, and what is not from this machine reaches nothing outside its folder.
func FuzzCompose(f *testing.F) {
	paths, err := filepath.Glob("testdata/apps/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.Contains(file.Name, "compose") {
				f.Add(file.Data, []byte("TAG=1\nA=$TAG\n"))
			}
		}
	}
	f.Add([]byte("services: {a: {extends: {file: \".env\", service: a}, build: !reset null}, b: !override {build: &x {<<: *x}}}"), []byte("services: {a: {build: .}}"))
	dir := f.TempDir()
	f.Chdir(dir)
	if err := os.Mkdir("app", 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, env []byte) {
		if len(text) > 64<<10 || len(env) > 64<<10 {
			t.Skip()
		}
		if err := errors.Join(os.WriteFile("app/compose.yaml", text, 0o644), os.WriteFile("app/.env", env, 0o644)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p, err := compose.Load(compose.Options{Files: []string{"app/compose.yaml"}, Foreign: true, Environ: []string{"SECRET=fuzz-secret"}})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			for _, e := range each(err) {
				if h := hinted(nil); !errors.As(e, &h) || h.Hint() == "" {
					t.Errorf("%T without a hint: %v", e, e)
				}
			}
			return
		}
		names := map[string]bool{}
		for _, target := range p.Targets {
			if names[target.Name] {
				t.Errorf("%s is there twice", target.Name)
			}
			names[target.Name] = true
			if target.At.File == "" || target.At.Line == 0 {
				t.Errorf("%s stands nowhere", target.Name)
			}
			if target.Broken != nil { // nothing else of it is known
				continue
			}
			if rel, err := filepath.Rel("app", target.Context); !strings.Contains(target.Context, ":") && !strings.HasPrefix(target.Context, "github.com/") && !strings.HasPrefix(target.Context, "git@") && (err != nil || !filepath.IsLocal(rel)) {
				t.Errorf("%s is built from %s", target.Name, target.Context)
			}
			for _, value := range target.Args {
				if value != nil && strings.Contains(*value, "fuzz-secret") {
					t.Errorf("%s has the environment's secret", target.Name)
				}
			}
		}
	})
}
