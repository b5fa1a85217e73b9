package rewrite_test

import (
	"bytes"
	"fmt"
	"go/scanner"
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
// frontend with: the files of the test folders, and the string literals of the
// tests that speak of a FROM.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "frontend", "dockerfile")
	texts := map[string]string{}
	for _, pattern := range []string{"parser/testfile*/*/Dockerfile", "parser/testfile-line/Dockerfile", "*_test.go", "*/*_test.go"} {
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
			for i, literal := range literals(text) {
				texts[fmt.Sprintf("%s, string %d", name, i)] = literal
			}
		}
	}
	return texts
}

// literals are the strings in a Go file that may be Dockerfiles.
func literals(source []byte) []string {
	var list []string
	var s scanner.Scanner
	files := token.NewFileSet()
	s.Init(files.AddFile("", files.Base(), len(source)), source, nil, 0)
	for {
		_, kind, literal := s.Scan()
		if kind == token.EOF {
			return list
		}
		if kind != token.STRING {
			continue
		}
		if text, err := strconv.Unquote(literal); err == nil && strings.Contains(strings.ToLower(text), "from ") {
			list = append(list, text)
		}
	}
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
