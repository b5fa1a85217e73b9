package archbuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/project/find"
)

// verbs are the words that a mistyped one may have been meant for.
var verbs = []string{"build", "rewrite", "plan", "lock", "detect", "verify", "compare", "lint", "port", "place", "doctor", "manifest", "ci", "node", "engine", "completion", "version"}

// buildxVerbs are verbs of docker buildx that have another name here, or none.
var buildxVerbs = map[string]string{
	"bake":       "name the file: archbuild -f docker-bake.hcl [TARGET…]",
	"imagetools": "that is archbuild manifest: inspect, create",
	"du":         "that is archbuild engine df",
	"prune":      "that is archbuild engine prune",
	"ls":         "that is archbuild node ls; builders of buildx's are used with --builder NAME",
}

// NoFolderError says that a word is neither a verb nor a folder.
type NoFolderError struct {
	Path string
	// meant says what PATH is after a verb, which the word cannot be then; empty elsewhere.
	meant string
	// inFile says that a file names it, and so that no verb can be meant.
	inFile bool
}

func (e *NoFolderError) Error() string {
	if e.meant != "" {
		return fmt.Sprintf("%s: no such file or folder", e.Path)
	}
	if near := e.near(); near != "" {
		return fmt.Sprintf("%s: no such folder; did you mean %s?", e.Path, near)
	}
	return fmt.Sprintf("%s: no such folder", e.Path)
}

// Hint shows the two things that can stand there.
func (e *NoFolderError) Hint() string {
	if e.meant != "" {
		return e.where()
	}
	if e.isVerb() {
		return fmt.Sprintf("a verb comes first: archbuild %s PATH", e.Path)
	}
	if instead, known := buildxVerbs[e.Path]; known {
		return instead
	}
	return "PATH is the folder of a Dockerfile; see `archbuild --help` for the verbs"
}

// where says what there is on the way to a PATH.
func (e *NoFolderError) where() string {
	folder := filepath.Dir(e.Path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Sprintf("%s, and there is no folder %s either", e.meant, folder)
	}
	if near := e.nearFile(folder); near != "" {
		return "did you mean " + near + "?"
	}
	return e.meant
}

// nearFile is what lies beside the missing one, and differs by few letters.
func (e *NoFolderError) nearFile(folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if near := nearest.Word(filepath.Base(e.Path), names); near != "" {
		return filepath.Join(folder, near)
	}
	return ""
}

// afterVerb tells a NoFolderError that a verb stands before the word, and what PATH is there.
func afterVerb(err error, meant string) error {
	if missing := new(NoFolderError); errors.As(err, &missing) {
		return &NoFolderError{Path: missing.Path, meant: meant}
	}
	return err
}

// ExitStatus is 2, as for every wrong usage.
func (e *NoFolderError) ExitStatus() int { return 2 }

// isVerb says that the word is a verb in the wrong place.
func (e *NoFolderError) isVerb() bool { return slices.Contains(verbs, e.Path) }

// near is a verb, or a folder beside the missing one, that differs by few letters.
func (e *NoFolderError) near() string {
	var known []string
	if !e.inFile {
		known = verbs
	}
	candidates := slices.Clone(known)
	parent := filepath.Dir(e.Path)
	entries, err := os.ReadDir(parent)
	if err == nil {
		for _, entry := range entries {
			if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				candidates = append(candidates, entry.Name())
			}
		}
	}
	word := filepath.Base(e.Path)
	if !e.inFile && e.isVerb() {
		return ""
	}
	near := nearest.Word(word, candidates)
	if i := slices.Index(candidates, near); i >= len(known) {
		return "./" + filepath.Join(parent, near)
	}
	return near
}

// inService puts the service's name before each of the errors, which stay
// independent: each keeps its own hint.
func inService(name string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	var each []error
	for _, e := range joined.Unwrap() {
		each = append(each, inService(name, e))
	}
	return errors.Join(each...)
}

// NoDockerfileError says that there is no template where one was looked for.
type NoDockerfileError struct {
	Path string
	// From is the context that it was looked for in, when that is no folder.
	From string
	in   files
}

func (e *NoDockerfileError) Error() string {
	if what := e.in.oddity(e.Path); what != "" {
		return fmt.Sprintf("%s is %s, not a Dockerfile", e.Path, what)
	}
	if e.From != "" {
		return fmt.Sprintf("%s: there is no %s in it", e.From, e.Path)
	}
	return fmt.Sprintf("%s: no such file", e.Path)
}

// Hint names the flag, and the file beside it that may be meant.
func (e *NoDockerfileError) Hint() string {
	if strings.Contains(e.Path, "://") {
		return "pipe it in: curl -fL " + e.Path + " | archbuild -f - PATH"
	}
	if near := e.near(); near != "" {
		return "name the Dockerfile with -f: -f " + near
	}
	if e.in.tree != nil {
		if found := find.InTree(e.in.tree); len(found.Files) > 0 {
			return "there is " + strings.Join(append(found.Files[:1:1], found.Beside...), " and ") + "; a Dockerfile is named with its folder: -f FOLDER/Dockerfile"
		}
	}
	if below := e.below(); below != "" && slices.Contains(dockerfileNames, filepath.Base(e.Path)) {
		return "give the folder that holds it, such as " + below + "; or --all for every Dockerfile below"
	}
	return "name the Dockerfile with -f FILE, or give the folder that holds it"
}

// below is the first folder in that folder which has a Dockerfile.
func (e *NoDockerfileError) below() string {
	folder := filepath.Dir(e.Path)
	entries, err := e.in.readDir(folder)
	if err != nil || e.in.tree != nil {
		return ""
	}
	for _, entry := range entries {
		if inner := filepath.Join(folder, entry.Name()); entry.IsDir() && e.in.isFile(filepath.Join(inner, dockerfileNames[0])) {
			return inner
		}
	}
	return ""
}

// ExitStatus is 2, as for a folder that is not there.
func (e *NoDockerfileError) ExitStatus() int { return 2 }

// near is a file in the same folder whose name says that it is a Dockerfile too.
func (e *NoDockerfileError) near() string {
	entries, err := e.in.readDir(filepath.Dir(e.Path))
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		if entry.Type().IsRegular() && (strings.HasPrefix(name, "dockerfile") || strings.HasPrefix(name, "containerfile")) && !strings.HasSuffix(name, ".dockerignore") {
			return filepath.Join(filepath.Dir(e.Path), entry.Name())
		}
	}
	return ""
}

// NoStageError says that a target, or --allow-foreign-stage, names no stage.
type NoStageError struct {
	File   string
	Stage  string
	Stages []string
	// From is what names it: a flag, or a line of archbuild.yaml.
	From string
}

func (e *NoStageError) Error() string {
	return fmt.Sprintf("%s: %s has no stage %q", e.From, e.File, e.Stage)
}

// Hint lists the stages.
func (e *NoStageError) Hint() string {
	_, number := strconv.Atoi(e.Stage)
	switch {
	case len(e.Stages) > 0:
		return "its stages are: " + strings.Join(e.Stages, ", ")
	case number == nil:
		return "a target is a name: write FROM … AS NAME, then --target NAME"
	}
	return "the file names no stage: leave it out, or write FROM … AS " + e.Stage
}

// ExitStatus is 2 for a flag.
func (e *NoStageError) ExitStatus() int {
	if strings.HasPrefix(e.From, "--") {
		return 2
	}
	return 1
}
