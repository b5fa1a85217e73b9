package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
)

// FuzzDockerfile: whatever a file holds, the rules come to an end, and every finding
// stands in a line of it, at bytes of it, with a message and something to do.
func FuzzDockerfile(f *testing.F) {
	for _, pattern := range []string{"testdata/corpus/*.txtar", "../plan/cross/testdata/table/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			_, text, _ := strings.Cut(string(data), "-- Dockerfile --\n")
			text, _, _ = strings.Cut(text, "\n-- ")
			f.Add(text + "\n")
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := template.Parse("Dockerfile", []byte(text))
		if err != nil {
			return
		}
		facts := lint.Facts{Template: read, Build: amd64, Targets: []plan.Target{{Platform: amd64}, {Platform: arm64}}}
		lines := strings.Count(text, "\n") + 1
		for _, found := range lint.Dockerfile(facts) {
			if found.Line < 1 || found.Line > lines || found.Message == "" || found.Fix == "" {
				t.Errorf("%+v in %d lines", found, lines)
			}
			for _, span := range found.Spans {
				if span.Start < 0 || span.Start > span.End || span.End > len(text) {
					t.Errorf("%+v in %d bytes", found, len(text))
				}
			}
		}
	})
}
