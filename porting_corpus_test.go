package archbuild_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/template"
)

// TestPortingTheCorpus ports every case of lint/testdata/corpus. What comes of it is read
// again, has lost the findings that were edited and got no other, is left alone by a second
// port, and has each RUN run what it ran on the platform it was written for.
func TestPortingTheCorpus(t *testing.T) {
	files, err := filepath.Glob("lint/testdata/corpus/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	edited, findings := 0, 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			opts := archbuild.PortOptions{Options: c.options(t), Write: true}
			seen, err := archbuild.Port(t.Context(), archbuild.PortOptions{Options: opts.Options})
			if syntax := (*template.SyntaxError)(nil); errors.As(err, &syntax) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			before := readDockerfile(t, seen.File)
			done, err := archbuild.Port(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(seen.Diff, done.Diff); diff != "" {
				t.Errorf("another diff than without --write:\n%s", diff)
			}
			if os.Getenv("SHOW") != "" {
				t.Logf("%s%v", done.Diff, done.Left)
			}
			for _, f := range done.Findings {
				if f.Severity != lint.Info {
					findings++
				}
				if f.Edited {
					edited++
				}
			}
			checkLeft(t, done)
			again, err := archbuild.Port(t.Context(), opts)
			if err != nil || again.Diff != "" {
				t.Errorf("a second port: %v\n%s", err, again.Diff)
			}
			if done.Diff != "" {
				sameCommands(t, before, readDockerfile(t, done.File))
			}
		})
	}
	t.Logf("%d of %d findings edited", edited, findings)
}

// checkLeft checks that nothing is left of what was edited, and that nothing else appears.
func checkLeft(t *testing.T, done archbuild.Ported) {
	t.Helper()
	most := map[string]int{}
	for _, f := range done.Findings {
		if !f.Edited && f.Severity != lint.Info {
			most[f.ID]++
		}
	}
	for _, f := range done.Left {
		if f.ID == "emulated-compile" { // what is on one machine no longer may be
			continue
		}
		if most[f.ID]--; most[f.ID] < 0 {
			t.Errorf("still there, or new: %s:%d %s\n%s", f.File, f.Line, f.Message, done.Diff)
		}
	}
}

func readDockerfile(t *testing.T, file string) *template.Template {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read, err := template.Parse("Dockerfile", source)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
