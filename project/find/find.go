// Package find tells which file of a folder describes a project, and what a file is that a user names:
// a compose file, a bake file or a Dockerfile.
//
// The order in a folder is the documented one of the tools: first what docker compose looks for
// (https://docs.docker.com/compose/intro/compose-application-model/), then what docker buildx bake looks for
// (https://docs.docker.com/build/bake/introduction/), each with its override files.
package find

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// Kind is what a file is.
type Kind int

const (
	// None is no file.
	None Kind = iota
	// Dockerfile builds one image.
	Dockerfile
	// Compose is a compose file.
	Compose
	// Bake is a bake file, in HCL or JSON.
	Bake
)

// String is the word for it.
func (k Kind) String() string {
	return []string{"nothing", "a Dockerfile", "a compose file", "a bake file"}[k]
}

// Found are the files that describe a folder's project.
type Found struct {
	// Kind is None for a folder without any.
	Kind Kind
	// Files with their folder in front, each laid over the one before.
	Files []string
	// Beside are files of other projects in the same folder, which were passed over; Notes tell of them.
	Beside, Notes []string
}

// ComposeNames are those of a folder's compose file, in the order in which they are looked for.
var ComposeNames = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

var (
	composeOverrides = []string{"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"}
	bakeNames        = []string{"docker-bake.json", "docker-bake.hcl"}
	bakeOverrides    = []string{"docker-bake.override.json", "docker-bake.override.hcl"}
)

// In looks in a folder. Of several compose files the first is taken with the first override file, as compose
// does; of bake files all that there are, as bake does. A folder that cannot be read is an error.
func In(dir string) (Found, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return Found{}, fmt.Errorf("looking for a compose or bake file: %w", err)
	}
	return in(dir, func(file string) string {
		if name := filepath.Base(file); dir != "." && byName(name) == Bake { // whose paths start from the working directory
			return "in " + dir + ", -f " + name + " takes that"
		}
		return "name " + file + " to take that"
	}, os.Stat), nil
}

// InTree looks in the root of a tree, as In does in a folder.
func InTree(tree fs.FS) Found {
	instead := func(file string) string { return "-f " + file + " takes that" }
	return in("", instead, func(name string) (fs.FileInfo, error) { return fs.Stat(tree, name) })
}

// stat tells of a file, links followed.
type stat func(name string) (fs.FileInfo, error)

// in looks in a folder; instead says how a file of it is taken that is passed over.
func in(dir string, instead func(file string) string, stat stat) Found {
	present := func(names []string) []string { return present(dir, names, stat) }
	compose, bake := present(ComposeNames), present(bakeNames)
	switch {
	case len(compose) > 0:
		found := Found{Kind: Compose, Files: compose[:1]}
		over := present(composeOverrides)
		passed := compose[1:]
		if len(over) > 0 {
			found.Files = append(found.Files[:1:1], over[0])
			passed = append(passed[:len(passed):len(passed)], over[1:]...)
		}
		found.Beside = append(passed, bake...)
		for _, file := range found.Beside {
			found.Notes = append(found.Notes, fmt.Sprintf("%s is read, and not %s beside it; %s", compose[0], filepath.Base(file), instead(file)))
		}
		return found
	case len(bake) > 0:
		return Found{Kind: Bake, Files: append(bake, present(bakeOverrides)...)}
	}
	return Found{}
}

// present are those of some names that a folder has, folders left out.
func present(dir string, names []string, stat stat) []string {
	var there []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := stat(path); err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			there = append(there, path)
		}
	}
	return there
}

// maxBytes is how long a file may be that is looked at to tell what it is: those that read such files take no longer ones.
const maxBytes = 4 << 20

// File tells what a file is, by its name, and where that says too little, by its content: a file
// that names its frontend in a first line # syntax=… is a Dockerfile of that frontend whatever it is called. What
// is there and cannot be read is told by its name, and without one that tells, an error: *plainfile.Error for what is no plain file.
func File(path string) (Kind, error) {
	name := filepath.Base(path)
	if byName(name) == Dockerfile {
		return Dockerfile, nil
	}
	data, err := plainfile.Read(path, maxBytes)
	if kind := byName(name); err != nil && kind != None && !errors.Is(err, fs.ErrNotExist) {
		return kind, nil // whose reader says what is wrong
	}
	if err != nil {
		return None, err
	}
	return Content(name, data), nil
}

// byName is what a name says alone.
func byName(name string) Kind {
	lower := strings.ToLower(name)
	for _, prefix := range []string{"dockerfile", "containerfile"} {
		if rest, is := strings.CutPrefix(lower, prefix); is && (rest == "" || strings.IndexByte(".-_", rest[0]) >= 0) || strings.HasSuffix(lower, "."+prefix) {
			return Dockerfile
		}
	}
	return map[string]Kind{".hcl": Bake, ".json": Bake, ".yaml": Compose, ".yml": Compose}[filepath.Ext(lower)]
}

var (
	composeForm    = regexp.MustCompile(`(?m)^["']?(services|include)["']?[ \t]*:`)
	bakeForm       = regexp.MustCompile(`(?m)^[ \t]*(target|group|variable|function)[ \t]+"`)
	dockerfileForm = regexp.MustCompile(`(?i)^(from|arg)[ \t]`)
	syntaxForm     = regexp.MustCompile(`(?i)^\s*(#|//)\s*syntax\s*=`)
)

// Content tells what bytes are; name is that of their file, and may be empty, as for standard input.
// What is neither for compose nor for bake is a Dockerfile.
func Content(name string, data []byte) Kind {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	kind := byName(name)
	switch {
	case kind == Dockerfile, isDockerfile(data), bytes.IndexByte(data, 0) >= 0 && kind == None:
		return Dockerfile
	case filepath.Ext(strings.ToLower(name)) == ".json":
		return ofJSON(data)
	case kind != None:
		return kind
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && json.Valid(data):
		return ofJSON(data)
	case bakeForm.Match(data):
		return Bake
	case composeForm.Match(data):
		return Compose
	}
	return Dockerfile
}

// ofJSON tells a compose file in JSON, which is YAML too, from a bake file.
func ofJSON(data []byte) Kind {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return Bake // whose reader says what is wrong
	}
	if keys["services"] != nil && keys["target"] == nil {
		return Compose
	}
	return Bake
}

// isDockerfile tells whether a frontend is named, or the first line that is no comment begins a Dockerfile.
func isDockerfile(data []byte) bool {
	if syntaxForm.Match(data) {
		return true
	}
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return dockerfileForm.Match(append(line, ' '))
		}
	}
	return false
}
