package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// TestHarm shows for each kind of unsafe stage what comes of it when it is moved
// all the same. A script is named for its kind, its folder kept/ is the
// build, and it has these commands beside those of TestScript:
//
//	go-cache [-race]           fills the cache go-build with what every program of Go needs, compiled natively for both
//	                           platforms: emulated, that takes a minute, and it is the same
//	unsafe STAGE…              the decision is that these stages stay, each for this kind and no other;
//	                           moved/ is kept/ with them moved by force
//	kept SAYS, moved SAYS      holds of the image for linux/arm64 that comes of the folder,
//	                           all its stages emulated but for those moved by force:
//
//	    holds FILE PATTERN     the file has a match
//	    is-for FILE MACHINE    the program is for this machine
//	    prints PATTERN         the image, when started, prints a match
//	    fails PATTERN          there is no image, and the log has a match
//
// A compiler that is emulated takes its time: lines with [whole] before them are run by make harm alone. They show, of a
// stage whose harm was shown, that it is well where it stays.
//
// What needs other images than Debian and Go is in testdata/languages, and so are examples that do, which are moved without harm.
func TestHarm(t *testing.T) {
	requireMachine(t)
	requireAMD64(t)
	runScripts(t, fixtures.LanguagesForTest(t), "testdata/harm/*.txtar", "testdata/languages/*.txtar", "testdata/languages/harm/*.txtar")
}

// harmless are the kinds without a script, and why.
var harmless = map[cross.Kind]string{
	cross.RunsNothing: "a stage without a RUN holds the same on any platform: there is nothing to win by moving it, and nothing to lose",
	cross.SwitchedOff: "somebody said no, by --cross=off, archbuild.yaml or a failure in archbuild.lock; the stage itself may be a safe one",
}

func TestEveryKindOfUnsafeStageShowsItsHarm(t *testing.T) {
	shown := map[cross.Kind]bool{}
	for _, pattern := range []string{"testdata/harm/*.txtar", "testdata/languages/harm/*.txtar"} {
		scripts, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range scripts {
			shown[cross.Kind(strings.TrimSuffix(filepath.Base(script), ".txtar"))] = true
		}
	}
	source, err := os.ReadFile("../../plan/cross/kind.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`Kind = "([a-z-]+)"`).FindAllSubmatch(source, -1)
	if len(kinds) == 0 {
		t.Fatal("no kinds in plan/cross/kind.go")
	}
	for _, match := range kinds {
		kind := cross.Kind(match[1])
		if _, none := harmless[kind]; none == shown[kind] {
			t.Errorf("%s: want either a script that shows the harm or a reason why there is none", kind)
		}
		delete(shown, kind)
	}
	for kind := range shown {
		t.Errorf("%s.txtar is about no kind", kind)
	}
}

// requireAMD64 is for tests in which programs of arm64 have to be foreign.
func requireAMD64(t *testing.T) {
	t.Helper()
	switch {
	case runtime.GOARCH == "amd64":
	case os.Getenv("CI") != "":
		t.Fatal("cannot run here: it takes a machine for linux/amd64")
	default:
		t.Skip("cannot run here: it takes a machine for linux/amd64")
	}
}

// Harm is shown for one job.
var (
	harmTarget = platform.MustParse("linux/arm64")
	harmBuild  = platform.MustParse("linux/amd64")
)

const goCacheDockerfile = `FROM golang:1.26 AS warm
WORKDIR /src
RUN printf 'module example.com/warm\n\ngo 1.26\n' > go.mod && printf 'package main\n\nfunc main() {}\n' > main.go
RUN --mount=type=cache,id=go-build,target=/root/.cache/go-build \
    for arch in arm64 amd64; do CGO_ENABLED=0 GOARCH=$arch go build -o /warm . || exit; done
%sFROM scratch
COPY --from=warm /warm /
`

// raceCache is the step for programs with a race detector. That itself is C, and not among them.
const raceCache = `RUN --mount=type=cache,id=go-build,target=/root/.cache/go-build CGO_ENABLED=1 GOARCH=arm64 go build -race syscall
`

// sharedCaches has all folders share their cache mounts: what go-cache compiles is for other projects.
const sharedCaches = "--build-arg=BUILDKIT_CACHE_MOUNT_NS=harm"

// goCache is the command go-cache. BuildKit takes the same step once, however many scripts ask for it.
func goCache(ts *testscript.TestScript, args []string) error {
	race := ""
	switch {
	case len(args) == 1 && args[0] == "-race":
		race = raceCache
	case len(args) > 0:
		return errUsage
	}
	dir := ts.MkAbs("go-cache")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), fmt.Appendf(nil, goCacheDockerfile, race), 0o644); err != nil {
		return err
	}
	return ts.Exec("archbuild", dir, "--platform", harmBuild.String(), "--progress=quiet", "--output=type=cacheonly", sharedCaches)
}

// forced is the variable that names the stages of moved/ that were moved.
const forced = "FORCED"

// unsafeStages is the command unsafe.
func unsafeStages(ts *testscript.TestScript, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	// The name of the script's folder is script-NAME.
	kind := cross.Kind(strings.TrimPrefix(filepath.Base(ts.Getenv("WORK")), "script-"))
	kept, moved := ts.MkAbs("kept"), ts.MkAbs("moved")
	t, err := template.Parse("Dockerfile", []byte(ts.ReadFile("kept/Dockerfile")))
	if err != nil {
		return err
	}
	request := cross.Request{
		Template: t, Target: harmTarget, Build: harmBuild, Files: folder(kept), Args: map[string]string{},
		Base: func(reference int) (cross.Base, bool) {
			// One that base-is-per-platform.txtar makes.
			return cross.Base{Platforms: []platform.Platform{harmTarget}}, t.References[reference].Text == "only-arm64:1"
		},
	}
	isNamed := func(stage int) bool {
		return slices.ContainsFunc(args, func(name string) bool {
			i, ok := t.Stage(name)
			return ok && i == stage
		})
	}
	named := 0
	for _, d := range cross.Decide(request) {
		if !isNamed(d.Stage) {
			continue
		}
		named++
		if d.Move {
			return fmt.Errorf("stage %d moves without force", d.Stage)
		}
		for _, o := range d.Obstacles {
			if o.Kind != kind {
				return fmt.Errorf("stage %d stays at line %d as %s: %s", d.Stage, o.Line, o.Kind, o.Why)
			}
		}
	}
	if named != len(args) {
		return fmt.Errorf("%d of %d stages are decided on", named, len(args))
	}
	if err := programKeeps(ts, kind, isNamed); err != nil {
		return err
	}
	request.Force = isNamed
	ts.Setenv(forced, strings.Join(args, " "))
	now, err := rewrite.CrossProof(t, cross.Decide(request))
	if err != nil {
		return err
	}
	if err := os.CopyFS(moved, os.DirFS(kept)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(moved, "Dockerfile"), now.Source, 0o644)
}

// programKeeps looks whether the program says so too, which asks the registry for the bases.
func programKeeps(ts *testscript.TestScript, kind cross.Kind, isNamed func(int) bool) error {
	if err := ts.Exec("archbuild", "plan", "kept", "--platform", harmTarget.String(), "--json"); err != nil {
		return err
	}
	var said struct{ Plans []plan.Plan }
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &said); err != nil {
		return err
	}
	if len(said.Plans) != 1 || len(said.Plans[0].Jobs) != 1 {
		return errors.New("archbuild plan has another number of jobs than one")
	}
	for _, stage := range said.Plans[0].Jobs[0].Stages {
		if c := stage.Cross; isNamed(stage.Index) && (c == nil || c.Moved || c.Kind != string(kind)) {
			return fmt.Errorf("archbuild plan says of stage %d: %+v", stage.Index, c)
		}
	}
	return nil
}

// folder is a context on disk.
type folder string

func (f folder) Read(name string) ([]byte, bool) {
	text, err := fs.ReadFile(os.DirFS(string(f)), path.Clean(name))
	return text, err == nil
}

func (f folder) List(dir string) ([]string, bool) {
	entries, err := fs.ReadDir(os.DirFS(string(f)), path.Clean(dir))
	var names []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	return names, err == nil
}

// keptSays and movedSays are the commands kept and moved.
func keptSays(ts *testscript.TestScript, args []string) error  { return says(ts, "kept", args) }
func movedSays(ts *testscript.TestScript, args []string) error { return says(ts, "moved", args) }

func says(ts *testscript.TestScript, build string, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	log, err := built(ts, build)
	if args[0] == "fails" {
		if err == nil {
			return errors.New("it builds")
		}
		return has([]byte(log), args[1])
	}
	if err != nil {
		return err
	}
	layout, target := ts.MkAbs("archbuild-out/"+build), harmTarget.String()
	if args[0] == "prints" {
		out, err := fixtures.RunImage(context.Background(), layout, target)
		if err != nil {
			return err
		}
		return has(out, args[1])
	}
	if len(args) != 3 {
		return errUsage
	}
	var content bytes.Buffer
	if err := fixtures.Cat(&content, layout, target, args[1]); err != nil {
		return err
	}
	switch args[0] {
	case "holds":
		return has(content.Bytes(), args[2])
	case "is-for":
		return isFor(content.Bytes(), args[2])
	}
	return errUsage
}

// built builds a folder once, and gives the log of that.
func built(ts *testscript.TestScript, build string) (log string, err error) {
	if _, err := os.Stat(ts.MkAbs("archbuild-out/" + build)); err == nil {
		return "", nil
	}
	args := []string{build, "--platform", harmTarget.String(), "--cross=off", "--verify=off", "--progress=plain", sharedCaches}
	if build == "moved" {
		for _, stage := range strings.Fields(ts.Getenv(forced)) {
			args = append(args, "--allow-foreign-stage="+stage)
		}
	}
	err = ts.Exec("archbuild", args...)
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		return "", err
	}
	return ts.ReadFile("stderr"), err
}

func has(text []byte, pattern string) error {
	match, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	if !match.Match(text) {
		return fmt.Errorf("there is no match in %q", text[:min(len(text), 2000)])
	}
	return nil
}
