package rewrite_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// corpus collects the Dockerfiles that BuildKit tests its own parser and
// frontend with: the files of the test folders, and every string in the
// frontend's tests that names an instruction.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "frontend", "dockerfile")
	files := map[string][]byte{}
	for _, pattern := range []string{"parser/testfiles/*/Dockerfile", "parser/testfiles-negative/*/Dockerfile", "parser/testfile-line/Dockerfile"} {
		names, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, name := range names {
			if files[name], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(files) < 30 {
		t.Fatalf("only %d test files below %s", len(files), root)
	}
	names, _ := filepath.Glob(filepath.Join(root, "*_test.go"))
	for _, name := range names {
		literals(t, name, files)
	}
	return files
}

func literals(t *testing.T, name string, files map[string][]byte) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(strings.ToLower(text), "from ") {
				files[name+":"+strconv.Itoa(int(lit.Pos()))] = []byte(text)
			}
		}
		return true
	})
}

func TestBuildKitsOwnDockerfiles(t *testing.T) {
	files := corpus(t)
	accepted, refused, references, edits := 0, 0, 0, 0
	for name, source := range files {
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
