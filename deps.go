package archbuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/wrong"
)

// makeRule is a rule of make without a recipe: what was written depends on what was read.
type makeRule struct {
	targets []string
	// needs are there, absent could be: a file that comes later counts as a change.
	needs, absent []string
}

// writeDeps writes --deps: rules for make, as compilers write them with -MMD.
func (o Options) writeDeps(rules []makeRule) error {
	if o.Deps == "" {
		return nil
	}
	return outside.WriteWhole(o.Deps, makeRules(rules))
}

// checkDeps looks whether --deps can be written.
func (o Options) checkDeps() error {
	if o.Deps == "" {
		return nil
	}
	if folder := filepath.Dir(o.Deps); !isFolder(folder) {
		return &wrong.Usage{fmt.Errorf("--deps %s: no such folder: %s", o.Deps, folder), "make the folder first: mkdir -p " + folder}
	}
	return nil
}

// checkRules looks whether there is something for the rules of a build to be about.
func (o Options) checkRules() error {
	if o.Deps != "" && o.IIDFile == "" && o.MetadataFile == "" {
		return &wrong.Usage{errors.New("--deps has nothing to write rules for: make needs a file that is written when the build is done"), "add --iidfile FILE, and have make look at that file"}
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// buildRules are those of --deps for a build: the files that tell of its end
// depend on the Dockerfile, what lies beside it, and the contexts.
func (r run) buildRules(services []service, plans []plan.Plan) ([]makeRule, error) {
	if r.Deps == "" {
		return nil, nil
	}
	var rules []makeRule
	for i, s := range services {
		r := r.with(s)
		rule := makeRule{}
		for _, pattern := range []string{r.IIDFile, r.MetadataFile} {
			if pattern != "" {
				rule.targets = append(rule.targets, manifest.Expand(pattern, s.name))
			}
		}
		rule.addInputs(s)
		if s.context.tree == nil {
			rule.addNamed(asMakeSees(filepath.Join(s.context.Folder, ".dockerignore")))
		}
		written := append(r.writtenBy(s), rule.targets...)
		if err := r.addContexts(&rule, s, plans[i], written); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// writtenBy are the paths that a build of a service writes to.
func (r run) writtenBy(s service) []string {
	list := []string{r.Deps}
	for _, out := range r.outputsOf(s) {
		if out.Dest != "" && !out.Stdout() {
			list = append(list, out.Dest)
		}
	}
	return list
}

// rewriteRules are those of --deps for Dockerfile.ARCH.
func (r run) rewriteRules(s service, files []RewrittenFile) ([]makeRule, error) {
	rule := makeRule{}
	for _, file := range files {
		if !file.Kept && !file.own {
			rule.targets = append(rule.targets, file.Path)
		}
	}
	if len(rule.targets) == 0 {
		return nil, nil
	}
	rule.addInputs(s)
	if r.Cross != crossOff { // its rules look at the context
		if err := r.addContexts(&rule, s, plan.Plan{}, append(rule.targets, r.Deps)); err != nil {
			return nil, err
		}
	}
	return []makeRule{rule}, nil
}

// addInputs adds the Dockerfiles of a service and what belongs to them.
func (m *makeRule) addInputs(s service) {
	if s.beside.tree != nil {
		return
	}
	for _, target := range s.targets {
		if file := s.of(target.Platform).file; !fromStdin(file) {
			m.addNamed(aside(file, s))
			m.addNamed(asMakeSees(file + ".dockerignore"))
		}
	}
	folder := filepath.Dir(s.file)
	m.addNamed(asMakeSees(filepath.Join(folder, "archbuild.yaml")))
	m.addNamed(asMakeSees(filepath.Join(folder, lockName)))
}

// addNamed adds a file that is read if it is there.
func (m *makeRule) addNamed(path string) {
	if _, err := os.Stat(path); err != nil {
		m.absent = append(m.absent, path)
		return
	}
	m.needs = append(m.needs, path)
}

// aside gives the path of a Dockerfile.ARCH from the root: make takes it for another
// file then, and rules that write such files are not to write one that is read.
func aside(path string, s service) string {
	name := filepath.Base(path)
	if name == filepath.Base(s.file) || !strings.HasPrefix(name, strings.TrimSuffix(filepath.Base(s.file), ".template")+".") {
		return asMakeSees(path)
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// asMakeSees is a path as a Makefile in the working directory would have it.
func asMakeSees(path string) string {
	if !filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if name, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(name) {
		return name
	}
	return path
}

// renew gives files that say the same already the time of now: make goes by that.
func renew(files []RewrittenFile) error {
	for _, file := range files {
		if !file.Unchanged || file.own {
			continue
		}
		content, err := os.ReadFile(file.Path)
		if err == nil {
			err = outside.WriteWhole(file.Path, content)
		}
		if err != nil {
			return &wrong.Write{Path: file.Path, Err: err}
		}
	}
	return nil
}

// makeRules writes rules in the words of GNU make. Every prerequisite is a target
// without prerequisites as well, so that one which is gone is a change and no error.
func makeRules(rules []makeRule) []byte {
	var b strings.Builder
	b.WriteString("# Written by archbuild.\n")
	var all []string
	var unnamed []string
	for _, rule := range rules {
		var line []string
		for _, target := range rule.targets {
			if name, ok := makeName(target); ok {
				line = append(line, name)
			}
		}
		if len(line) == 0 {
			continue
		}
		b.WriteString(strings.Join(line, " ") + ":")
		for _, path := range sortedOnce(rule.needs) {
			name, plain := makeName(path)
			guarded, ok := makeGuarded(path)
			switch {
			case plain:
				all = append(all, name)
			case ok:
				name = guarded
			default:
				unnamed = append(unnamed, path)
				continue
			}
			b.WriteString(" \\\n  " + name)
		}
		for _, path := range sortedOnce(rule.absent) {
			if name, ok := makeGuarded(path); ok {
				b.WriteString(" \\\n  " + name)
			}
		}
		b.WriteString("\n")
	}
	for _, name := range sortedOnce(all) {
		b.WriteString(name + ":\n")
	}
	for _, path := range sortedOnce(unnamed) {
		fmt.Fprintf(&b, "# not looked at, make has no way to name it: %q\n", path)
	}
	return []byte(b.String())
}

func sortedOnce(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// makeName is a path as a target and a prerequisite. Not all names can be both.
func makeName(path string) (string, bool) {
	if strings.ContainsAny(path, "=;|%&~\\\t\n\r") || strings.HasSuffix(path, ")") {
		return "", false
	}
	return makeEscapes.Replace(path), true
}

// makeGuarded is a path as a prerequisite that counts if it is there.
func makeGuarded(path string) (string, bool) {
	if strings.ContainsAny(path, " ;|\\\t\n\r()") {
		return "", false
	}
	return "$(wildcard " + makeEscapes.Replace(path) + ")", true
}

// makeEscapes take from characters what they mean to GNU make.
var makeEscapes = strings.NewReplacer("$", "$$", " ", `\ `, "#", `\#`, ":", `\:`, "*", `\*`, "?", `\?`, "[", `\[`)
