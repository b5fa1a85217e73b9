package spec_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/manifest/spec"
)

// TestTheMigrationPageIsTrue reads the examples of docs/manifest-tool.md.
func TestTheMigrationPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/manifest-tool.md")
	if err != nil {
		t.Fatal(err)
	}
	file := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if file == nil {
		t.Fatal("no spec on the page")
	}
	commit := func(name string) (string, bool) { return "abc", name == "COMMIT" }
	specs, _, err := spec.Parse(file[1], spec.Options{Name: "page", Strict: true, Env: commit})
	if err != nil || len(specs) != 2 {
		t.Errorf("%d specs, %v", len(specs), err)
	}
	rows := 0
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| `(\\S+)` \\| `(\\S+)` \\|$").FindAllStringSubmatch(string(page), -1) {
		rows++
		got, _ := ofTemplate(t, row[1], "linux/amd64", "linux/arm/v7")
		if want := strings.Join(row[2:], " "); got != want {
			t.Errorf("%s gives %s, and the page says %s", row[1], got, want)
		}
	}
	if rows != 4 {
		t.Errorf("%d rows of templates", rows)
	}
}
