// Package folders makes a project of the Dockerfiles below a folder: one target for each, called after
// its folder.
//
// What belongs to others is left out, by the names that are usual for it: hidden folders, node_modules, vendor,
// third_party, testdata, __pycache__, and archbuild's own results. Ignore files are not asked: a .dockerignore says what one
// build does not need, which often is just the folders of the others, and a .gitignore says
// nothing of builds. What was left out stands in the project's notes.
package folders

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
)

// Bounds of a walk.
const (
	maxEntries = 200_000
	maxDepth   = 40
	maxTargets = 2_000
)

// skipped are folders with other people's files, and files for tests.
var skipped = []string{"node_modules", "vendor", "third_party", "testdata", "__pycache__"}

// results is where builds put their images when nothing else is said: nobody needs to hear that it holds no sources.
const results = "archbuild-out"

// main are the names of the Dockerfile that a folder's build takes, the first one that there is.
var main = []string{"Dockerfile", "dockerfile", "Dockerfile.template", "Containerfile"}

// noDockerfile are endings of files that are not built, but lie beside some that are.
var noDockerfile = []string{"dockerignore", "containerignore", "bak", "orig", "rej", "swp", "tmp", "old", "md", "txt", "j2", "tmpl", "tpl", "in", "erb", "lock", "sh", "yaml", "yml", "json"}

// Error is what keeps a folder's Dockerfiles from being a project.
type Error struct {
	Text string
	hint string
}

func (e *Error) Error() string { return e.Text }

// Hint is the one thing to do.
func (e *Error) Hint() string { return e.hint }

// Load finds the Dockerfiles below some folders. A target is called after the last part of its folder, and after as much
// of the path as tells it from others: "web", or "shop-web" and "admin-web". A Dockerfile.release
// becomes web-release. A Dockerfile.ARCH beside a Dockerfile is what archbuild rewrites, and no target.
func Load(dirs ...string) (project.Project, error) {
	w := &walk{seen: map[string]bool{}}
	p := project.Project{Files: dirs}
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return project.Project{}, fmt.Errorf("finding the folder's name: %w", err)
		}
		w.root, w.name, w.parts = dir, cmp.Or(word(filepath.Base(abs)), "project"), nil
		if p.Name == "" {
			p.Name = w.name
		}
		if len(dirs) > 1 { // the same may lie below each
			w.parts = []string{w.name}
		}
		if err := w.in(dir, 0); err != nil {
			return project.Project{}, err
		}
	}
	if len(w.found) == 0 {
		return project.Project{}, &Error{"no Dockerfile lies below " + strings.Join(dirs, ", "), "name the folder that has one in it or below it"}
	}
	p.Notes = w.notes(dirs)
	names := unique(w.found)
	for i, f := range w.found {
		at := project.Place{File: filepath.Join(f.dir, f.file)}
		t := project.Target{Name: names[i], Image: names[i], At: at, Context: f.dir, Places: map[string]project.Place{"dockerfile": at, "context": at}}
		if !f.usual {
			t.Dockerfile = f.file
		}
		p.Targets = append(p.Targets, t)
	}
	return p, nil
}

// found is a Dockerfile: its folder as the user would write it, its parts below the root, its name.
type found struct {
	dir   string
	root  string
	parts []string
	file  string
	// variant is what the file's name adds: "release" of Dockerfile.release.
	variant string
	// usual says that a build of the folder takes the file without being told.
	usual bool
}

type walk struct {
	// root is the folder that is looked through, name what it is called.
	root, name string
	// seen are files that were found below another root.
	seen    map[string]bool
	parts   []string
	entries int
	found   []found
	// left are folders that were not looked into, files that were not taken: by what they are called.
	left map[string]int
}

// in looks through a folder: first its own files, then its folders, both in the order of their names.
func (w *walk) in(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil && depth > 0 && errors.Is(err, fs.ErrPermission):
		w.leave(filepath.Join(w.parts...) + " (not readable)")
		return nil
	case err != nil:
		return fmt.Errorf("looking for Dockerfiles: %w", err)
	}
	if w.entries += len(entries); w.entries > maxEntries {
		return &Error{fmt.Sprintf("more than %d files lie below %s", maxEntries, w.root), "name the folders that have the Dockerfiles: archbuild DIR DIR"}
	}
	var names []string
	for _, entry := range entries {
		if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.Mode().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	w.files(dir, names)
	if len(w.found) > maxTargets {
		return &Error{fmt.Sprintf("more than %d Dockerfiles lie below %s", maxTargets, w.root), "name the folders that have the Dockerfiles: archbuild DIR DIR"}
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case !entry.IsDir(): // links to folders are not followed: they lead in circles
		case strings.HasPrefix(name, "."), name == results:
		case slices.Contains(skipped, name):
			w.leave(name)
		case depth >= maxDepth:
			w.leave(fmt.Sprintf("folders more than %d deep", maxDepth))
		default:
			w.parts = append(w.parts, name)
			if err := w.in(filepath.Join(dir, name), depth+1); err != nil {
				return err
			}
			w.parts = w.parts[:len(w.parts)-1]
		}
	}
	return nil
}

// files takes the Dockerfiles among a folder's files.
func (w *walk) files(dir string, names []string) {
	add := func(file, variant string, usual bool) {
		path := filepath.Join(dir, file)
		if w.seen[path] {
			return
		}
		w.seen[path] = true
		w.found = append(w.found, found{dir: dir, root: w.name, parts: slices.Clone(w.parts), file: file, variant: variant, usual: usual})
	}
	template := ""
	for _, name := range main {
		if slices.Contains(names, name) {
			template = name
			add(name, "", true)
			break
		}
	}
	for _, name := range names {
		variant, is := variantOf(name)
		p, arch := architecture(variant)
		switch {
		case !is || name == template || slices.Contains(main, name):
		case arch && (template != "" || p.Suffix() == variant):
			if template == "" { // the folder is built from such files: they are one image
				template = name
				add(name, "", true)
				continue
			}
			w.leave(name)
		default:
			add(name, word(variant), false)
		}
	}
}

// named is a Dockerfile that is called after something.
var named = regexp.MustCompile(`^(?:(?i:dockerfile|containerfile)[.\-_](.+)|(.+)\.(?i:dockerfile|containerfile))$`)

// variantOf is what a file's name adds to Dockerfile; false is no Dockerfile.
func variantOf(name string) (string, bool) {
	parts := named.FindStringSubmatch(name)
	if parts == nil {
		return "", false
	}
	variant := parts[1] + parts[2]
	last := variant[strings.LastIndexByte(variant, '.')+1:]
	if strings.HasSuffix(variant, "~") || slices.Contains(noDockerfile, strings.ToLower(last)) || word(variant) == "" {
		return "", false
	}
	return variant, true
}

// architecture tells whether a variant is a platform: amd64, arm-v7, aarch64.
func architecture(variant string) (platform.Platform, bool) {
	if slices.Contains([]string{"", "linux", "windows", "darwin", "freebsd"}, variant) {
		return platform.Platform{}, false
	}
	for _, p := range platform.All() {
		if p.Suffix() == variant {
			return p, true
		}
	}
	p, err := platform.Parse(variant)
	return p, err == nil
}

func (w *walk) leave(what string) {
	if w.left == nil {
		w.left = map[string]int{}
	}
	w.left[what]++
}

// notes say what was left out.
func (w *walk) notes(dirs []string) []string {
	if len(w.left) == 0 {
		return nil
	}
	var all []string
	for what := range w.left {
		all = append(all, what)
	}
	slices.Sort(all)
	const most = 10
	if len(all) > most {
		all = append(all[:most], fmt.Sprintf("%d more", len(all)-most))
	}
	return []string{fmt.Sprintf("left out below %s: %s", strings.Join(dirs, ", "), strings.Join(all, ", "))}
}

// unique gives each Dockerfile the shortest name that no other one has.
func unique(all []found) []string {
	names := make([]string, len(all))
	for depth := 1; ; depth++ {
		count := map[string]int{}
		for i, f := range all {
			if names[i] == "" {
				count[f.name(depth)]++
			}
		}
		taken, open := map[string]bool{}, false
		for _, name := range names {
			taken[name] = true
		}
		for i, f := range all {
			name := f.name(depth)
			switch {
			case names[i] != "":
			case count[name] == 1 && !taken[name]:
				names[i] = name
			default:
				open = true
			}
		}
		if !open || depth > maxDepth {
			return numbered(all, names)
		}
	}
}

// numbered names those that even their whole paths do not tell apart: "Web" and "web".
func numbered(all []found, names []string) []string {
	taken := map[string]bool{}
	for _, name := range names {
		taken[name] = true
	}
	for i, f := range all {
		for n := 2; names[i] == ""; n++ {
			name := fmt.Sprintf("%s-%d", f.name(maxDepth), n)
			if !taken[name] {
				names[i], taken[name] = name, true
			}
		}
	}
	return names
}

// name is that of a Dockerfile by so many parts of its path.
func (f found) name(depth int) string {
	var parts []string
	for _, part := range f.parts[max(0, len(f.parts)-depth):] {
		if part = word(part); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		parts = []string{f.root}
	}
	if f.variant != "" {
		parts = append(parts, f.variant)
	}
	return strings.Join(parts, "-")
}

var noWord = regexp.MustCompile(`[^a-z0-9]+`)

// word makes of a name what an image can be called.
func word(name string) string {
	return strings.Trim(noWord.ReplaceAllString(strings.ToLower(name), "-"), "-")
}
