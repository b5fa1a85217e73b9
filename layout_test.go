package archbuild_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/archbuild/archbuild"

// arrows is the table of docs/architecture.md: which package of the project may
// import which. Everything may import platform, which is the ground, so it is
// not repeated. Doors are the packages below internal/.
var arrows = map[string][]string{
	"platform": {},
	"template": {},
	"resolve":  {"template"},
	"plan":     {"template", "resolve", "plan/cross"},
	// It reads stages and commands; what is known of bases and of the context comes in as values.
	"plan/cross": {"template"},
	"rewrite":    {"template", "plan", "plan/cross"},
	// The images of a project and how they stand on each other. Its rooms read the files of others.
	"project":         {"internal/nearest"},
	"project/bake":    {"project", "internal/nearest", "internal/plainfile"},
	"project/compose": {"project", "internal/nearest", "internal/plainfile"},
	// What a file is, and which one a folder has: looked at, not understood.
	"project/find":    {"internal/plainfile"},
	"project/folders": {"project"},
	// Which images can run on which machines of a cluster, and what a scheduler has to be told.
	"placement":       {"internal/nearest"},
	"placement/files": {"placement", "project", "project/compose", "internal/nearest", "internal/plainfile"}, // compose files are read as builds read them
	// What keeps a Dockerfile from serving several platforms: it knows what plan and cross decide, and reads commands.
	"lint": {"template", "plan", "plan/cross", "lint/arch", "lint/script", "lint/contents", "internal/nearest"},
	// How architectures are called in names of files and in URLs, and by which projects.
	"lint/arch": {},
	// The pages of lint's rules, embedded.
	"docs/lint": {},
	// What a RUN does: commands, words and where they stand.
	"lint/script": {"template", "lint/arch"},
	// What of a context a COPY takes in, and the programs and links among it.
	"lint/contents": {"internal/program"},
	// The findings of lint as edits.
	"port": {"template", "plan", "lint", "lint/arch", "lint/script"},
	// What a file's first bytes say: the program of which machine it is.
	"internal/program": {},
	// It starts itself, detached, which the process door is not for; newuidmap is a program
	// like others. What a plain user's engine needs and registers, detect shows.
	"builder/engine": {"detect", "internal/run", "internal/nearest", "internal/plainfile"},
	// What nodes say is made harmless where it comes in: progress is drawn past the program's streams.
	"builder": {"plan", "builder/engine", "builder/guard", "internal/ui", "internal/ignore"},
	// What a node gets of a session, and what it asks for beside.
	"builder/guard": {},
	// The user's file of nodes is read as archbuild.yaml is; a mistyped key gets its nearest word.
	"builder/nodes": {"builder", "internal/config", "internal/nearest", "internal/plainfile"},
	// Which node does which job, and when: a value that knows nothing of builds.
	"builder/schedule": {},
	// What the scheduler says meets time and failures here; it knows no BuildKit.
	"builder/dispatch": {"builder/schedule"},
	// What legs of a matrix and the assembling job tell each other: plain data.
	"ci":     {"internal/github"},
	"verify": {"internal/ocistore", "internal/imagetree", "internal/program"},
	// It says what is wrong with flags about tags, and prints what became of them.
	"manifest": {"wrong", "internal/ui", "internal/ocistore", "internal/imagetree", "internal/registry", "internal/nearest", "internal/plainfile", "internal/whole"},
	// A reader of files and flags; only the facade joins it with manifest.
	"manifest/spec":    {},
	"manifest/inspect": {"internal/imagetree"},
	"detect":           {"internal/run"},
	// Which kernel options there are, and what needs them; what cannot be read is tried in a process.
	"detect/kernel": {"detect", "internal/run"},
	"internal/run":  {},
	// What facts mean for builds: plain data in, plain data and text out.
	"doctor":      {"detect", "builder/nodes", "internal/registry", "internal/ui"},
	"internal/ui": {},
	// Text for GitHub's runner: commands in a log, Markdown, outputs.
	"internal/github": {"internal/ui"},
	// podman is a program.
	"internal/containers": {"internal/run", "internal/plainfile"},
	// archbuild.yaml holds rules, so its reader speaks resolve's types.
	"internal/config":   {"resolve"},
	"internal/ocistore": {},
	// Files that appear whole or not at all: layouts and archives, and what the user has written.
	"internal/whole": {},
	// Digests of folders, for records of a matrix and for resuming.
	"internal/treesum": {},
	// Files that others have named: a pipe, a device, a terabyte is an error before it is read.
	"internal/plainfile": {},
	// What ignore files leave out; one that cannot be understood is an error.
	"internal/ignore": {"internal/plainfile"},
	// What a mistyped word was meant for: errors of several packages name it.
	"internal/nearest": {},
	// What stands under a name, wherever it lies: verify, manifest and manifest/inspect read the same tree.
	"internal/imagetree": {"internal/ocistore", "internal/registry"},
	// The door answers resolve's questions, so it speaks resolve's types.
	"internal/registry": {"resolve", "internal/plainfile"},
	// What is wrong with what a user has said: a cause, a hint, and the exit status that follows.
	"wrong": {"internal/nearest"},
	// What stays in the state folder between runs: blobs of images, and what is remembered.
	"keep": {"manifest", "internal/imagetree"},
	// The world outside as every verb meets it. It finds the private engine and the registries by one buildkitd.toml,
	// asks git for the commit, and writes what a step of GitHub's leaves behind.
	"outside": {"wrong", "ci", "keep", "builder/engine", "builder/nodes", "internal/registry", "internal/ocistore", "internal/run", "internal/ui", "internal/github", "internal/whole"},
	// Verbs that build nothing: each has what it needs of the world, and nothing of a build. Which images a project
	// builds is the root's to say: place asks it.
	"verbs/tending":    {"outside", "wrong", "keep", "builder/engine", "internal/ui"},
	"verbs/detecting":  {"outside", "builder/engine", "detect", "internal/ui"},
	"verbs/inspecting": {"outside", "wrong", "manifest/inspect", "internal/imagetree", "internal/ui"},
	"verbs/verifying":  {"outside", "wrong", "verify", "internal/imagetree", "internal/registry", "internal/ui"},
	"verbs/assembling": {"outside", "wrong", "manifest", "manifest/spec", "internal/nearest", "internal/registry", "internal/ui"},
	"verbs/listing":    {"outside", "builder/engine", "builder/nodes", "detect", "internal/ui"},
	"verbs/placing":    {".", "outside", "wrong", "placement", "placement/files", "project/compose", "project/find", "verify", "internal/imagetree", "internal/nearest", "internal/ocistore", "internal/plainfile", "internal/registry", "internal/ui", "internal/whole"},
	".": {"wrong", "outside", "keep", "project", "project/bake", "project/compose", "project/find", "project/folders", "ci", "docs/lint", "lint", "lint/contents", "port", "template", "resolve", "plan", "plan/cross", "rewrite", "builder", "builder/engine", "builder/guard", "builder/nodes", "builder/schedule", "builder/dispatch", "verify", "manifest", "detect", "detect/kernel", "doctor",
		"internal/config", "internal/containers", "internal/registry", "internal/ocistore", "internal/imagetree", "internal/ui", "internal/nearest", "internal/plainfile", "internal/ignore", "internal/github", "internal/treesum"},
	// It names the formats of a plan, and the severities of findings; the engine and the
	// process that tries the kernel are this same program.
	"cmd/archbuild": {".", "wrong", "outside", "verbs/assembling", "verbs/detecting", "verbs/inspecting", "verbs/listing", "verbs/placing", "verbs/tending", "verbs/verifying", "ci", "lint", "builder/engine", "detect/kernel", "manifest", "internal/ui", "internal/nearest", "internal/whole"},
}

// pure packages are tested with strings: they touch no file, network, process,
// clock or environment.
var pure = []string{"platform", "template", "plan", "plan/cross", "rewrite", "ci", "manifest/spec", "internal/github", "builder/schedule", "lint", "lint/arch", "lint/script", "lint/contents", "port", "doctor", "project", "placement"}

var impure = []string{"os", "os/exec", "net", "net/http", "time", "syscall", "io/ioutil"}

func TestArrowsPointDownOnly(t *testing.T) {
	for dir, imports := range packages(t) {
		allowed, known := arrows[dir]
		if !known {
			t.Errorf("%s is a package that the table of arrows does not have", dir)
			continue
		}
		for _, to := range imports {
			inside, ours := strings.CutPrefix(to, module)
			inside = strings.TrimPrefix(inside, "/")
			if inside == "" {
				inside = "."
			}
			if ours && inside != "platform" && !slices.Contains(allowed, inside) {
				t.Errorf("%s imports %s: no such arrow", dir, inside)
			}
		}
	}
}

func TestPurePackagesTouchNothing(t *testing.T) {
	found := packages(t)
	for _, dir := range pure {
		for _, to := range found[dir] {
			if slices.Contains(impure, to) {
				t.Errorf("%s imports %s, but is to be pure", dir, to)
			}
		}
	}
}

// packages lists the imports of each of the project's packages, tests and test
// fixtures left out, by folder.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			name := entry.Name()
			skip := name != "." && strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "examples", "tools", "fixtures", "registrytest", "hubtest", "bench", "e2e", "bin", "archbuild-out"}, name)
			if skip {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(file))
		if found[dir] == nil {
			found[dir] = []string{}
		}
		for _, spec := range parsed.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[dir] = append(found[dir], to)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
