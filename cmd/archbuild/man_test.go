package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestTheManualHasAPageForEveryVerb(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if code := run(t.Context(), []string{"docs", "man", dir}, strings.NewReader(""), io.Discard, t.Output()); code != exitOK {
		t.Fatalf("exit status %d", code)
	}
	groff, missing := exec.LookPath("groff")
	n := 0
	verbs(func(c *cobra.Command) {
		n++
		file := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		for _, want := range []string{".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH EXAMPLES\n", ".SH EXIT STATUS\n", ".SH SEE ALSO\n"} {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s has no %q", filepath.Base(file), want)
			}
		}
		for line := range strings.Lines(string(data)) {
			for _, r := range line {
				if r > 126 {
					t.Fatalf("%s has %q, which is not ASCII", filepath.Base(file), r)
				}
			}
			if line[0] == '\'' || line[0] == '.' && !strings.HasPrefix(line, ".TH ") && !strings.HasPrefix(line, ".SH ") &&
				!strings.HasPrefix(line, ".B ") && !strings.HasPrefix(line, ".BR ") && len(line) > 4 {
				t.Errorf("%s has a request that is none of ours: %q", filepath.Base(file), line)
			}
		}
		if missing != nil {
			return
		}
		check := exec.Command(groff, "-man", "-ww", "-z", file)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff does not like %s: %v\n%s", filepath.Base(file), err, out)
		}
	})
	pages, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(pages) != n {
		t.Errorf("%d pages for %d verbs: %q", len(pages), n, pages)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "archbuild-build.1")); !strings.Contains(string(data), ".TP\n\\fB\\-t\\fR, \\fB\\-\\-tag\\fR \\fINAME:TAG\\fR\nname and tag") {
		t.Errorf("the page of build does not show --tag:\n%s", data)
	}
}
