package rewrite_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/archbuild/archbuild/rewrite"
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

func TestBuildKitsOwnDockerfiles(t *testing.T) {
	files := corpus(t)
	accepted, refused, references, edits := 0, 0, 0, 0
	for name, text := range files {
		source := []byte(text)
		parsed, err := template.Parse("Dockerfile", source)
		if !accepts(source) {
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
		out, err := rewrite.Dockerfile(parsed, external(parsed))
		if err != nil {
			refused++
			t.Errorf("%s: %v", name, err)
			continue
		}
		references += len(parsed.References)
		edits += len(out.Edits)
		account(t, source, out)
		sameTree(t, source, out)
	}
	t.Logf("%d texts, %d accepted by BuildKit, %d of these refused; %d references, %d edits", len(files), accepted, refused, references, edits)
}

func accepts(source []byte) bool {
	result, err := dockerfile.Parse(bytes.NewReader(source))
	if err != nil {
		return false
	}
	stages, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{}))
	return err == nil && len(stages) > 0
}
