package cross_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/rogpeppe/go-internal/txtar"
)

// row is one file of testdata/table; README.md there says what the lines mean.
type row struct {
	name       string
	why        string
	bases      []string
	args       []string
	target     string
	wants      []want
	harm       string
	dockerfile []byte
	context    map[string][]byte
}

// want is what is expected of one stage. It may move if recipe is not empty,
// and may stay if there are kinds.
type want struct {
	stage    string
	recipe   string
	kinds    []string
	line     int
	unneeded bool
}

var (
	recipes  = []string{"go", "node", "java", "site", "files"}
	wantLine = regexp.MustCompile(`^(\S+) (?:cross (\S+?))?(?:(?:, or )?stays (\S+) at (\d+))?(unneeded)?$`)
	kindLine = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ")
)

// rows reads the table.
func rows(t *testing.T) []row {
	t.Helper()
	files, err := filepath.Glob("testdata/table/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var table []row
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		table = append(table, readRow(t, strings.TrimSuffix(filepath.Base(file), ".txtar"), archive))
	}
	return table
}

func readRow(t *testing.T, name string, archive *txtar.Archive) row {
	t.Helper()
	read := row{name: name, context: map[string][]byte{}}
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "base":
			read.bases = append(read.bases, value)
		case "arg":
			read.args = append(read.args, value)
		case "target":
			read.target = value
		case "harm":
			read.harm = value
		case "want":
			read.wants = append(read.wants, readWant(t, name, value))
		default:
			read.why = strings.TrimSpace(read.why + " " + line)
		}
	}
	for _, file := range archive.Files {
		if file.Name == "Dockerfile" {
			read.dockerfile = file.Data
			continue
		}
		read.context[file.Name] = file.Data
	}
	return read
}

func readWant(t *testing.T, name, text string) want {
	t.Helper()
	parts := wantLine.FindStringSubmatch(text)
	if parts == nil || parts[2]+parts[3]+parts[5] == "" {
		t.Fatalf("%s: %q is no want", name, text)
	}
	read := want{stage: parts[1], recipe: parts[2], unneeded: parts[5] != ""}
	if parts[3] != "" {
		read.kinds = strings.Split(parts[3], "|")
		read.line, _ = strconv.Atoi(parts[4])
	}
	return read
}

func TestTableIsWellFormed(t *testing.T) {
	readme, err := os.ReadFile("testdata/table/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, match := range kindLine.FindAllSubmatch(readme, -1) {
		kinds = append(kinds, string(match[1]))
	}
	var safe, either, unsafe int
	harmful := map[string]bool{"runs-nothing": true} // moving it is pointless, not harmful
	used := map[string]bool{}
	table := rows(t)
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) { checkRow(t, row, kinds) })
		switch {
		case !slices.ContainsFunc(row.wants, want.stays):
			safe++
		case slices.ContainsFunc(row.wants, want.must):
			unsafe++
		default:
			either++
		}
		for _, want := range row.wants {
			for i, kind := range want.kinds {
				used[kind] = true
				harmful[kind] = harmful[kind] || i == 0 && row.harm != "" && want.must()
			}
		}
	}
	t.Logf("%d rows: %d safe, %d safe but not asked for, %d unsafe", len(table), safe, either, unsafe)
	if len(table) < 60 {
		t.Errorf("%d rows, want at least 60", len(table))
	}
	for _, kind := range kinds {
		if !used[kind] {
			t.Errorf("kind %s has no row", kind)
		}
		if !harmful[kind] {
			t.Errorf("kind %s has no row with a harm", kind)
		}
	}
}

func (w want) stays() bool { return len(w.kinds) > 0 }

// must says that the stage may not move.
func (w want) must() bool { return w.stays() && w.recipe == "" }

func checkRow(t *testing.T, row row, kinds []string) {
	t.Helper()
	if row.why == "" || len(row.wants) == 0 {
		t.Error("no reason why, or nothing wanted")
	}
	if row.harm != "" && !slices.ContainsFunc(row.wants, want.must) {
		t.Error("a harm in a row where every stage may move")
	}
	stages, starts := readStages(t, row.dockerfile)
	lines := bytes.Count(row.dockerfile, []byte("\n"))
	wanted := map[string]bool{}
	for _, want := range row.wants {
		if !slices.Contains(stages, want.stage) || wanted[want.stage] {
			t.Errorf("stage %q is not there, or wanted twice", want.stage)
		}
		wanted[want.stage] = true
		if want.recipe != "" && !slices.Contains(recipes, want.recipe) {
			t.Errorf("recipe %q is none", want.recipe)
		}
		for _, kind := range want.kinds {
			if !slices.Contains(kinds, kind) {
				t.Errorf("README.md has no kind %q", kind)
			}
		}
		if want.stays() && (want.line < 1 || want.line > lines || !starts[want.line]) {
			t.Errorf("stage %s: no instruction begins at line %d", want.stage, want.line)
		}
	}
	for i, stage := range stages {
		isTarget := stage == row.target || row.target == "" && i == len(stages)-1
		if !isTarget && !wanted[stage] {
			t.Errorf("nothing is wanted of stage %s", stage)
		}
	}
}

// readStages lists the stages of a Dockerfile by name, or by number where they
// have none, and the lines at which instructions begin, as BuildKit reads it.
func readStages(t *testing.T, dockerfile []byte) (names []string, starts map[int]bool) {
	t.Helper()
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, stage := range stages {
		name := regexp.MustCompile(`(?i)\sAS\s+(\S+)$`).FindStringSubmatch(stage.SourceCode)
		if name == nil {
			name = []string{"", strconv.Itoa(i)}
		}
		names = append(names, name[1])
	}
	starts = map[int]bool{}
	for _, node := range parsed.AST.Children {
		starts[node.StartLine] = true
	}
	return names, starts
}
