package template_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/template"
)

// corpus collects the Dockerfiles that BuildKit tests its own parser and
// frontend with: the files of the test folders, and the strings in backquotes
// of the frontend's tests.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "frontend", "dockerfile")
	texts := map[string]string{}
	for _, pattern := range []string{"parser/testfile*/*/Dockerfile", "parser/testfile-line/Dockerfile", "*_test.go"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatal("no ", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(name) != ".go" {
				texts[name] = string(text)
				continue
			}
			for i, part := range strings.Split(string(text), "`") {
				if i%2 == 1 && strings.Contains(strings.ToLower(part), "from ") {
					texts[fmt.Sprintf("%s, string %d", name, i/2)] = part
				}
			}
		}
	}
	return texts
}

// TestBuildKitsOwnDockerfiles reads them all, and for those that BuildKit can
// convert, Uses must find the images that it asks a registry for.
func TestBuildKitsOwnDockerfiles(t *testing.T) {
	accepted, refused, compared := 0, 0, 0
	texts := corpus(t)
	for name, source := range texts {
		parsed, err := template.Parse("Dockerfile", []byte(source))
		if !accepts([]byte(source)) {
			if err == nil {
				t.Errorf("%s: BuildKit refuses it, archbuild does not", name)
			}
			continue
		}
		accepted++
		if err != nil {
			refused++
			t.Errorf("%s: %v", name, err)
			continue
		}
		spans(t, parsed)
		for i, env := range envs {
			if _, err := buildkit(source, env); err == nil && compare(t, parsed, source, env, i) {
				compared++
			}
		}
	}
	t.Logf("%d texts, %d accepted by BuildKit, %d of these refused, %d conversions compared", len(texts), accepted, refused, compared)
}
