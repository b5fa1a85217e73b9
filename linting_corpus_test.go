package archbuild_test

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/lint"
)

// What lint has to reach over the corpus, and how many cases that is at least.
const (
	leastPrecision = 0.97
	leastRecall    = 0.97
	leastCases     = 120
)

// expectation is a finding as far as the corpus says what it is.
type expectation struct {
	File     string
	Line     int
	Severity lint.Severity
	ID       string
}

func (e expectation) String() string {
	return fmt.Sprintf("%s:%d %s %s", e.File, e.Line, e.Severity, e.ID)
}

// tally counts findings of one rule: as expected, missed, reported and not expected. A
// finding of another severity is missed and not expected, and counted besides.
type tally struct{ found, missed, extra, severity int }

func (t *tally) add(o tally) {
	t.found += o.found
	t.missed += o.missed
	t.extra += o.extra
	t.severity += o.severity
}

func (t *tally) precision() float64 { return share(t.found, t.found+t.extra) }
func (t *tally) recall() float64    { return share(t.found, t.found+t.missed) }

// share is 1 where there is nothing to be right about.
func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// TestLintCorpus holds lint against lint/testdata/corpus, whose README.md tells what
// the cases are.
func TestLintCorpus(t *testing.T) {
	files, err := filepath.Glob("lint/testdata/corpus/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < leastCases {
		t.Errorf("%d cases; there have to be %d", len(files), leastCases)
	}
	rules := map[string]*tally{}
	quiet := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		c := readCase(t, file)
		if c.quiet() != strings.HasPrefix(name, "quiet-") {
			t.Errorf("%s: the name begins with quiet- where nothing, or only information, is expected", name)
		}
		if c.quiet() {
			quiet++
		}
		for _, f := range c.want {
			if _, known := lint.ByID(f.ID); !known {
				t.Errorf("%s: there is no rule %s", name, f.ID)
			}
		}
		judge(t, name, c.want, c.lint(t), rules)
	}
	t.Logf("%d cases, %d of them quiet", len(files), quiet)
	all := report(t, rules)
	if all.precision() < leastPrecision || all.recall() < leastRecall {
		t.Errorf("precision %.3f and recall %.3f; both have to be %.2f", all.precision(), all.recall(), leastPrecision)
	}
}

// lint runs the case.
func (c *lintCase) lint(t *testing.T) []expectation {
	t.Helper()
	linted, err := archbuild.Lint(t.Context(), c.options(t))
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	var list []expectation
	for _, f := range linted.Findings {
		file, err := filepath.Rel(c.folder, f.File)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, expectation{filepath.ToSlash(file), f.Line, f.Severity, f.ID})
	}
	return list
}

// judge compares and prints each difference.
func judge(t *testing.T, name string, want, got []expectation, rules map[string]*tally) {
	t.Helper()
	of := func(id string) *tally {
		if rules[id] == nil {
			rules[id] = &tally{}
		}
		return rules[id]
	}
	for _, w := range want {
		if slices.Contains(got, w) {
			of(w.ID).found++
			continue
		}
		of(w.ID).missed++
		other := slices.IndexFunc(got, func(g expectation) bool { return g.File == w.File && g.Line == w.Line && g.ID == w.ID })
		if other < 0 {
			t.Logf("%s: missed %s", name, w)
			continue
		}
		of(w.ID).severity++
		t.Logf("%s: %s was reported as %s", name, w, got[other].Severity)
	}
	for _, g := range got {
		if slices.Contains(want, g) {
			continue
		}
		of(g.ID).extra++
		if !slices.ContainsFunc(want, func(w expectation) bool { return g.File == w.File && g.Line == w.Line && g.ID == w.ID }) {
			t.Logf("%s: not expected %s", name, g)
		}
	}
}

// report prints a table of all rules and gives their sum.
func report(t *testing.T, rules map[string]*tally) tally {
	t.Helper()
	var all tally
	var text strings.Builder
	row := func(name string, c *tally) {
		fmt.Fprintf(&text, "\n%-24s %8.3f %8.3f %6d %6d %6d %9d", name, c.precision(), c.recall(), c.found, c.missed, c.extra, c.severity)
	}
	fmt.Fprintf(&text, "\n%-24s %8s %8s %6s %6s %6s %9s", "rule", "precision", "recall", "found", "missed", "extra", "severity")
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		row(id, rules[id])
		all.add(*rules[id])
	}
	row("all", &all)
	t.Log(text.String())
	return all
}

// parseWant reads the file want.
func parseWant(text string) ([]expectation, error) {
	var list []expectation
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("want: %q is not LINE SEVERITY ID", line)
		}
		at := words[0]
		e := expectation{File: "Dockerfile", Severity: lint.Severity(words[1]), ID: words[2]}
		if file, number, ok := strings.Cut(at, ":"); ok {
			e.File, at = file, number
		}
		var err error
		if e.Line, err = strconv.Atoi(at); err != nil {
			return nil, fmt.Errorf("want: %w", err)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b expectation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}
