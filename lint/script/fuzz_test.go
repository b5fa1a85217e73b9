package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// FuzzRead: whatever a Dockerfile holds, reading its scripts ends soon, and every word and
// every part of one stands in the file where it is said to.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("../testdata/corpus/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(source), "-- Dockerfile --\n"); ok {
			rest, _, _ = strings.Cut(rest, "\n-- ")
			f.Add(rest)
		}
	}
	f.Add("FROM a\nRUN f() { f x; f y; }; f z\n")
	f.Add("FROM a\nRUN for a in 1 2 3 4 5 6 7 8; do for b in 1 2 3 4 5 6 7 8; do for c in 1 2 3 4 5 6 7 8; do for d in 1 2 3 4 5 6 7 8; do for e in 1 2 3 4 5 6 7 8; do echo $a$b$c$d$e; done; done; done; done; done\n")
	f.Add("FROM a\nRUN a=xxxxxxxxxxxxxxxx; a=$a$a; a=$a$a; a=$a$a; a=$a$a; a=$a$a; a=$a$a; a=$a$a; a=$a$a; a=$a$a; sh -c \"$a\"\n")
	f.Add("FROM a\nONBUILD RUN --mount=type=cache,target=/x curl https://x/linux-amd64\nONBUILD ENV a=${b:-c}\n")
	f.Fuzz(func(t *testing.T, dockerfile string) {
		tmpl, err := template.ParseLimited("Dockerfile", []byte(dockerfile), template.Limits{Bytes: 64 << 10})
		if err != nil {
			return
		}
		begin := time.Now()
		file := script.Walk(tmpl, script.Options{})
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, stage := range file.Stages {
			for _, in := range stage.Instructions {
				for _, w := range append(in.Flags, in.Words...) {
					check(t, tmpl, w)
				}
				for _, p := range in.Pairs {
					check(t, tmpl, p.Value)
				}
				for _, c := range in.Script.Commands {
					if c.At < 0 || c.End > len(tmpl.Source) || c.Line < 1 {
						t.Errorf("%s stands at %d to %d, in line %d", c.Name, c.At, c.End, c.Line)
					}
					for _, w := range append(c.Args, c.First) {
						check(t, tmpl, w)
					}
				}
			}
		}
	})
}

// check holds a word against the file.
func check(t *testing.T, tmpl *template.Template, w script.Word) {
	t.Helper()
	if w.At < 0 || w.End > len(tmpl.Source) || w.At > w.End {
		t.Errorf("%q stands at %d to %d of %d", w.Text, w.At, w.End, len(tmpl.Source))
	}
	for i := range len(w.Text) {
		at, end, ok := w.Place(i, i+1)
		if !ok {
			continue
		}
		if end != at+1 || at >= len(tmpl.Source) {
			t.Errorf("byte %d of %q is at %d", i, w.Text, at)
			continue
		}
		if have := tmpl.Source[at]; have != w.Text[i] && have != '$' && have != '`' && have != '<' && have != '>' && w.Text[i] != ' ' && have != ' ' && have != '\t' && have != '\n' {
			t.Errorf("byte %d of %q is %q in the file", i, w.Text, have)
		}
	}
}
