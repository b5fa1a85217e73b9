package archbuild_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)`)

// TestEveryFuzzTargetStandsInTheLedger compares the tree with docs/fuzzing.md, both ways.
func TestEveryFuzzTargetStandsInTheLedger(t *testing.T) {
	ledger, err := os.ReadFile("docs/fuzzing.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range fuzzTarget.FindAllSubmatch(source, -1) {
			count++
			if row := "| `" + string(found[1]) + "` | `" + filepath.ToSlash(filepath.Dir(path)) + "` |"; !strings.Contains(string(ledger), row) {
				t.Errorf("docs/fuzzing.md has no row %s", row)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(string(ledger), "\n| `Fuzz"); rows != count {
		t.Errorf("docs/fuzzing.md has %d targets, and the tree %d", rows, count)
	}
}
