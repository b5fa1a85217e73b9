package archbuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// TestGraphs reads projects and holds what comes of them against what is due: project/testdata/graphs, whose README has the form.
func TestGraphs(t *testing.T) {
	paths, _ := filepath.Glob("project/testdata/graphs/*.txtar") // the pattern is right
	count := map[string]int{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		kind, _, _ := strings.Cut(name, "-")
		count[kind]++
		t.Run(name, func(t *testing.T) {
			c := readGraphCase(t, path)
			t.Chdir(c.dir)
			first := c.read(t)
			c.check(t, first)
			if diff := cmp.Diff(first, c.read(t)); diff != "" {
				t.Errorf("- once, + and once more:\n%s", diff)
			}
		})
	}
	t.Logf("%d projects: %v", len(paths), count)
	if len(paths) < 100 || count["compose"] < 18 || count["bake"] < 18 || count["graph"] < 12 {
		t.Error("projects are missing")
	}
}

// graphCase is a project with what is due.
type graphCase struct {
	dir        string
	words, env []string
	want       graphWant
}

// graphWant is what is due.
type graphWant struct {
	// lines are those of services and edges: see sorted.
	lines []string
	// order of all services, if there is but one.
	order []string
	// notes, errors and hints are words of each.
	notes  [][]string
	errors [][]string
	hints  []string
}

// graphFound is what came of a project.
type graphFound struct {
	Lines, Order, Notes []string
	Errors, Hints       []string
}

// readGraphCase lays out the files of a case in a folder that is called shop.
func readGraphCase(t *testing.T, path string) graphCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := graphCase{dir: filepath.Join(t.TempDir(), "shop")}
	for line := range strings.Lines(string(archive.Comment)) {
		words := strings.Fields(line)
		switch words[0] {
		case "run":
			c.words = words[1:]
		case "env":
			c.env = append(c.env, words[1])
		case "#":
		default:
			t.Fatalf("%s: what is %q?", path, line)
		}
	}
	for _, file := range archive.Files {
		if file.Name == "want" {
			c.want = readGraphWant(t, string(file.Data))
			continue
		}
		name := filepath.Join(c.dir, file.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, file.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.words) == 0 || len(c.want.lines) == 0 && len(c.want.errors) == 0 {
		t.Fatalf("%s: nothing is run, or nothing is due", path)
	}
	return c
}

var (
	sameEdge  = regexp.MustCompile(`^edge (\S+) -> (\S+) on ([^:]+): (.*)$`)
	otherEdge = regexp.MustCompile(`^edge (\S+) (\S+) -> (\S+) (\S+): (.*)$`)
)

// readGraphWant reads the file want.
func readGraphWant(t *testing.T, text string) graphWant {
	t.Helper()
	var w graphWant
	service := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.HasPrefix(line, "    ") && service != "":
			w.lines = append(w.lines, service+" "+strings.Join(words, " "))
		case words[0] == "service":
			service = words[0] + " " + words[1]
			w.lines = append(w.lines, service+" platforms "+platformWords(t, words[2:]))
		case words[0] == "edge":
			w.lines = append(w.lines, expandEdge(t, line)...)
		case words[0] == "order":
			w.order = words[1:]
		case words[0] == "note":
			w.notes = append(w.notes, words[1:])
		case words[0] == "error":
			w.errors = append(w.errors, words[1:])
		case words[0] == "hint":
			w.hints = words[1:]
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	slices.Sort(w.lines)
	return w
}

// expandEdge writes a line of edges as one for each platform: edge USER/PLATFORM -> BASE/PLATFORM: WHY.
func expandEdge(t *testing.T, line string) []string {
	t.Helper()
	if m := sameEdge.FindStringSubmatch(line); m != nil {
		var lines []string
		for _, p := range strings.Fields(m[3]) {
			lines = append(lines, fmt.Sprintf("edge %s/%s -> %s/%s: %s", m[1], p, m[2], p, m[4]))
		}
		return lines
	}
	if m := otherEdge.FindStringSubmatch(line); m != nil {
		return []string{fmt.Sprintf("edge %s/%s -> %s/%s: %s", m[1], m[2], m[3], m[4], m[5])}
	}
	t.Fatalf("what is %q?", line)
	return nil
}

// platformWords sorts platforms; + before one says that it was added.
func platformWords(t *testing.T, words []string) string {
	t.Helper()
	list := slices.Clone(words)
	for _, word := range list {
		if p := strings.TrimPrefix(word, "+"); platform.MustParse(p).String() != p {
			t.Fatalf("%s is another way to write %s", p, platform.MustParse(p))
		}
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(strings.TrimPrefix(a, "+"), strings.TrimPrefix(b, "+")) })
	return strings.Join(list, " ")
}

// check holds what was found against what is due.
func (c graphCase) check(t *testing.T, found graphFound) {
	t.Helper()
	if len(c.want.errors) > 0 || len(found.Errors) > 0 {
		c.checkErrors(t, found)
		return
	}
	lines := slices.Clone(found.Lines)
	for i, line := range lines { // Where an inline Dockerfile stands is not due.
		if why, _, placed := strings.Cut(line, " at "); placed && slices.Contains(c.want.lines, why) {
			lines[i] = why
		}
	}
	slices.Sort(lines)
	if diff := cmp.Diff(c.want.lines, lines); diff != "" {
		t.Errorf("- due, + found:\n%s", diff)
	}
	if diff := cmp.Diff(c.want.order, found.Order); len(c.want.order) > 0 && diff != "" {
		t.Errorf("order: - due, + found:\n%s", diff)
	}
	checkBasesFirst(t, found)
	if len(found.Notes) != len(c.want.notes) {
		t.Errorf("%d notes, and not %d: %q", len(found.Notes), len(c.want.notes), found.Notes)
		return
	}
	for i, words := range c.want.notes {
		checkWords(t, found.Notes[i], words)
	}
}

// read reads the project as a build does, up to the graph.
func (c graphCase) read(t *testing.T) graphFound {
	t.Helper()
	opts, amd64 := c.options(t), platform.MustParse("linux/amd64")
	made, err := func() (connected, error) {
		opts, err := opts.input(t.Context())
		if err != nil {
			return connected{}, err
		}
		r, err := opts.check()
		if err != nil {
			return connected{}, err
		}
		services, err := r.read(t.Context(), detect.HostFacts{Platform: amd64})
		if err != nil {
			return connected{}, err
		}
		t.Cleanup(func() { closeAll(services) })
		return r.connect(services, func(platform.Platform) platform.Platform { return amd64 })
	}()
	var found graphFound
	for _, e := range leaves(err) {
		found.Errors, found.Hints = append(found.Errors, e.Error()), append(found.Hints, wrong.Hint(e))
	}
	if err != nil {
		return found
	}
	found.Notes = made.graph.Notes
	for i, node := range made.graph.Nodes {
		found.Order = append(found.Order, node.Name)
		found.Lines = append(found.Lines, serviceLines(t, node, made.services[i])...)
	}
	for _, e := range made.graph.Edges {
		found.Lines = append(found.Lines, fmt.Sprintf("edge %s/%s -> %s/%s: %s %s at %s", e.User, e.For, e.Base, e.On, e.Where, e.Name, e.At))
	}
	return found
}

// options are what the words of the command and its environment say.
func (c graphCase) options(t *testing.T) Options {
	t.Helper()
	o := Options{Offline: true, Engine: outside.Engine{State: t.TempDir()}, System: outside.System{Environ: c.env}}
	for i := 0; i < len(c.words); i++ {
		word := c.words[i]
		switch word {
		case "--no-deps":
			o.NoDeps = true
			continue
		case "--all":
			o.All = true
			continue
		}
		if !strings.HasPrefix(word, "-") {
			o.Paths = append(o.Paths, word)
			continue
		}
		i++
		switch value := c.words[i]; word {
		case "-f":
			if o.File == "" {
				o.File = value
			} else {
				o.MoreFiles = append(o.MoreFiles, value)
			}
		case "--platform":
			o.Platforms = strings.Split(value, ",")
		case "--link":
			o.Links = append(o.Links, value)
		case "--set":
			o.Set = append(o.Set, value)
		case "--env-file":
			o.EnvFiles = append(o.EnvFiles, value)
		case "--profile":
			o.Profiles = append(o.Profiles, value)
		default:
			t.Fatalf("what is %s?", word)
		}
	}
	return o
}

// serviceLines tell of a service what the file want tells.
func serviceLines(t *testing.T, node project.Node, s service) []string {
	t.Helper()
	var lines []string
	add := func(key string, words ...string) {
		if len(words) > 0 && words[0] != "" {
			lines = append(lines, "service "+node.Name+" "+key+" "+strings.Join(words, " "))
		}
	}
	var platforms []string
	for _, p := range node.Platforms {
		word := p.String()
		if slices.Contains(node.Added, p) {
			word = "+" + word
		}
		platforms = append(platforms, word)
	}
	add("platforms", platformWords(t, platforms))
	if s.self == nil || s.self.of == nil {
		t.Fatalf("%s has no target", node.Name)
	}
	if !slices.EqualFunc(s.targets, node.Platforms, func(t plan.Target, p platform.Platform) bool { return t.Platform == p }) {
		t.Errorf("%s is planned for %v, and the graph has %v", node.Name, s.targets, node.Platforms)
	}
	of := s.self.of
	add("context", belowHere(t, of.Context))
	if file := of.Dockerfile; file != "Dockerfile" && of.Inline == "" {
		add("dockerfile", file)
	}
	first, _, _ := strings.Cut(of.Inline, "\n")
	add("inline", first)
	add("stage", of.Stage)
	var args, contexts []string
	for key, value := range s.self.args.of(node.Platforms[0]) {
		args = append(args, key+"="+value)
	}
	for _, c := range of.Contexts {
		value := strings.Replace(c.Value, "service:", "target:", 1)
		if !strings.Contains(value, ":") {
			value = belowHere(t, value)
		}
		contexts = append(contexts, c.Name+"="+value)
	}
	slices.Sort(args)
	slices.Sort(contexts)
	add("args", args...)
	add("contexts", contexts...)
	add("tags", of.Tags...)
	return lines
}

// belowHere is a folder relative to the working directory.
func belowHere(t *testing.T, folder string) string {
	t.Helper()
	here, err := os.Getwd()
	if err == nil && !filepath.IsAbs(folder) {
		folder = filepath.Join(here, folder)
	}
	relative, wrong := filepath.Rel(here, folder)
	if err := errors.Join(err, wrong); err != nil {
		t.Fatal(err)
	}
	return relative
}

// checkBasesFirst looks at the order of services.
func checkBasesFirst(t *testing.T, found graphFound) {
	t.Helper()
	for _, line := range found.Lines {
		m := regexp.MustCompile(`^edge ([^/]+)/\S+ -> ([^/]+)/`).FindStringSubmatch(line)
		if m != nil && slices.Index(found.Order, m[2]) >= slices.Index(found.Order, m[1]) {
			t.Errorf("%s comes before its base %s: %q", m[1], m[2], found.Order)
		}
	}
}

func (c graphCase) checkErrors(t *testing.T, found graphFound) {
	t.Helper()
	if len(found.Errors) != len(c.want.errors) {
		t.Fatalf("%d errors, and not %d: %q", len(found.Errors), len(c.want.errors), found.Errors)
	}
	for i, words := range c.want.errors {
		checkWords(t, found.Errors[i], words)
		if found.Hints[i] == "" {
			t.Errorf("%s: no hint", found.Errors[i])
		}
		checkWords(t, found.Hints[i], c.want.hints)
	}
}

var lineRange = regexp.MustCompile(`^(.+):(\d+)-(\d+)$`)

// checkWords looks whether a text has all the words; FILE:3-5 is one of these lines.
func checkWords(t *testing.T, text string, words []string) {
	t.Helper()
	for _, word := range words {
		has := strings.Contains(text, word)
		if m := lineRange.FindStringSubmatch(word); m != nil {
			first, _ := strconv.Atoi(m[2]) // digits
			last, _ := strconv.Atoi(m[3])
			for line := first; line <= last; line++ {
				has = has || regexp.MustCompile(regexp.QuoteMeta(m[1])+":"+strconv.Itoa(line)+`\b`).MatchString(text)
			}
		}
		if !has {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}
