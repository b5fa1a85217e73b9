package archbuild

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryThreatIsHeldByATestThatExists reads docs/security.md: the last column of a row names tests, scripts or targets of make.
func TestEveryThreatIsHeldByATestThatExists(t *testing.T) {
	known := knownTests(t)
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, threats := 0, false
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || strings.HasPrefix(line, "|---") {
			threats = threats && strings.HasPrefix(line, "|---")
			continue
		}
		if strings.TrimSpace(cells[2]) == "held by" {
			threats = true
			continue
		}
		if !threats {
			continue
		}
		rows++
		for _, name := range strings.Split(cells[2], ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " of ")
			if !known[strings.TrimSpace(name)] {
				t.Errorf("%q is no test, script or target: %s", name, strings.TrimSpace(cells[0]))
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows are read", rows)
	}
}

var (
	testPattern   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	targetPattern = regexp.MustCompile(`(?m)^([a-z-]+):.* ## `)
)

func knownTests(t *testing.T) map[string]bool {
	known := map[string]bool{}
	read := func(path string, pattern *regexp.Regexp, prefix string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			known[prefix+string(m[1])] = true
		}
	}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, "_test.go"):
			read(path, testPattern, "")
		case filepath.Ext(path) == ".txtar" && strings.Contains(path, "testdata"):
			known[strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read("Makefile", targetPattern, "make ")
	read("packaging/dist.mk", targetPattern, "make ")
	return known
}
