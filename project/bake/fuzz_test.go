package bake_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/project/bake"
)

// FuzzBake reads any text as a bake file, HCL or JSON. What is read is printed as JSON that is read again, to the same; what is not
// is an *Error for each cause, with a hint, and where it stands in the file is a line that the file has.
func FuzzBake(f *testing.F) {
	paths, _ := filepath.Glob("testdata/print/*.txtar") // the pattern is right
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if ext := filepath.Ext(file.Name); (ext == ".hcl" || ext == ".json") && file.Name != "want.json" {
				f.Add(file.Data, ext == ".json")
			}
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, isJSON bool) {
		name := filepath.Join(dir, "docker-bake.hcl")
		if isJSON {
			name = filepath.Join(dir, "docker-bake.json")
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o := bake.Options{Files: []string{name}, Names: []string{"*"}, LocalPlatform: "linux/amd64"}
		if _, err := bake.Load(o); err != nil {
			checkErrors(t, err, text)
		}
		printed, err := bake.Print(o)
		if err != nil {
			checkErrors(t, err, text)
			return
		}
		if !json.Valid(printed) {
			t.Fatalf("it is no JSON: %s", printed)
		}
	})
}

func checkErrors(t *testing.T, err error, text []byte) {
	t.Helper()
	lines := 2
	for _, b := range text {
		if b == '\n' {
			lines++
		}
	}
	for _, e := range each(err) {
		var wrong *bake.Error
		if !errors.As(e, &wrong) || wrong.Hint() == "" || wrong.Text == "" {
			t.Fatalf("an error without a type or hint: %v", e)
		}
		if wrong.Place.Line > lines {
			t.Fatalf("line %d of %d: %v", wrong.Place.Line, lines, e)
		}
	}
}
