package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// resumeProject is a build with something of everything that can change.
var resumeProject = map[string]string{
	"Dockerfile": `FROM debian:bookworm-slim AS tools
ARG MODE=fast
RUN --mount=type=secret,id=token echo $MODE > /mode
FROM scratch AS small
COPY app/file /
FROM scratch
ARG WORD=none
LABEL word=$WORD
COPY --from=tools /mode /
COPY app /app
`,
	"app/file": "content", "app/run.sh": "#!/bin/sh\n", "app/sub/deep": "deep", "app/notes.tmp": "not sent", "README": "not copied",
	".dockerignore": "**/*.tmp\n",
}

// resumeWorld is where builds are repeated: a registry, an engine, a state folder.
type resumeWorld struct {
	testing.TB
	env           []string
	state         string
	secret, other string
}

func newResumeWorld(t *testing.T) *resumeWorld {
	t.Helper()
	requireMachine(t)
	hub := fixtures.ForTest(t)
	root := t.TempDir()
	w := &resumeWorld{TB: t, state: filepath.Join(root, "state"), secret: filepath.Join(root, "secret"), other: filepath.Join(root, "other")}
	seen := watch(t, root)
	t.Cleanup(func() { endEngine(t, w.state, seen) })
	w.env = append(os.Environ(), "XDG_CONFIG_HOME="+hub.ConfigHome, "ARCHBUILD_STATE="+w.state, "DOCKER_CONFIG="+filepath.Join(root, "docker"), "HOME="+root, "HUB="+hub.Addr)
	w.put(w.secret, "swordfish")
	w.put(filepath.Join(w.other, "file"), "of another context")
	return w
}

func (w *resumeWorld) put(path, content string) {
	w.Helper()
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.WriteFile(path, []byte(content), 0o644))
}

func (w *resumeWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// project puts the files of one in a new folder.
func (w *resumeWorld) project(files map[string]string) string {
	w.Helper()
	dir, err := os.MkdirTemp(w.TempDir(), "project-")
	w.must(err)
	for name, content := range files {
		w.put(filepath.Join(dir, name), content)
	}
	w.must(os.Symlink("file", filepath.Join(dir, "app", "link")))
	return dir
}

// resumeOutcome is what is looked at of a build's JSON.
type resumeOutcome struct {
	Images []struct {
		Digest    string
		Platforms []struct {
			Platform, State, Digest string
			Steps                   int
		}
	}
	stderr string
}

// states are those of all platforms, in their order.
func (o resumeOutcome) states() string {
	var list []string
	for _, image := range o.Images {
		for _, p := range image.Platforms {
			list = append(list, p.State)
		}
	}
	return strings.Join(list, " ")
}

func (w *resumeWorld) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.Context(), "archbuild", append([]string{"build", dir, "--json", "--progress", "plain"}, args...)...)
	cmd.Env, cmd.Dir = w.env, filepath.Dir(w.state)
	return cmd
}

func (w *resumeWorld) try(dir string, args ...string) (resumeOutcome, error) {
	w.Helper()
	var out resumeOutcome
	cmd := w.command(dir, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	body, failed := cmd.Output()
	if err := json.Unmarshal(body, &out); err != nil {
		return out, errors.Join(failed, err, errors.New(stderr.String()))
	}
	out.stderr = stderr.String()
	return out, failed
}

func (w *resumeWorld) build(dir string, args ...string) resumeOutcome {
	w.Helper()
	out, err := w.try(dir, args...)
	if err != nil {
		w.Fatalf("archbuild build %s: %v\n%s", strings.Join(args, " "), err, out.stderr)
	}
	return out
}

// change is one thing that is different in the second of two runs.
type change struct {
	what string
	// do changes the project.
	do func(w *resumeWorld, dir string)
	// args of both runs, then those of the second in their place, if there are any.
	args, then []string
	want       string
	// anew says that building again makes another image of the same inputs.
	anew bool
	// differs says that the second image has to be another one.
	differs bool
}

func writes(name, content string) func(*resumeWorld, string) {
	return func(w *resumeWorld, dir string) { w.put(filepath.Join(dir, name), content) }
}

func flags(args ...string) []string { return args }

// changesOfFiles are those of the context.
var changesOfFiles = []change{
	{what: "nothing", want: "resumed"},
	{what: "a byte of a file", do: writes("app/file", "c0ntent"), want: "built"},
	{what: "a byte of a file, and its time is set back", do: func(w *resumeWorld, dir string) {
		file := filepath.Join(dir, "app/file")
		info, err := os.Stat(file)
		w.must(err)
		w.put(file, "c0ntent")
		w.must(os.Chtimes(file, info.ModTime(), info.ModTime()))
	}, want: "built", differs: true},
	{what: "a byte of a file far below", do: writes("app/sub/deep", "deeq"), want: "built"},
	{what: "permissions", do: func(w *resumeWorld, dir string) { w.must(os.Chmod(filepath.Join(dir, "app/run.sh"), 0o755)) }, want: "built"},
	{what: "permissions of a folder", do: func(w *resumeWorld, dir string) { w.must(os.Chmod(filepath.Join(dir, "app/sub"), 0o700)) }, want: "built"},
	{what: "a new file", do: writes("app/new", ""), want: "built"},
	{what: "a new folder", do: func(w *resumeWorld, dir string) { w.must(os.Mkdir(filepath.Join(dir, "app/new"), 0o755)) }, want: "built"},
	{what: "a file less", do: func(w *resumeWorld, dir string) { w.must(os.Remove(filepath.Join(dir, "app/sub/deep"))) }, want: "built"},
	{what: "another name", do: func(w *resumeWorld, dir string) {
		w.must(os.Rename(filepath.Join(dir, "app/run.sh"), filepath.Join(dir, "app/start.sh")))
	}, want: "built"},
	{what: "where a link leads to", do: func(w *resumeWorld, dir string) {
		w.must(os.Remove(filepath.Join(dir, "app/link")))
		w.must(os.Symlink("run.sh", filepath.Join(dir, "app/link")))
	}, want: "built"},
	{what: "a file that became a link to the same", do: func(w *resumeWorld, dir string) {
		w.must(os.Rename(filepath.Join(dir, "app/sub/deep"), filepath.Join(dir, "app/deep")))
		w.must(os.Symlink("../deep", filepath.Join(dir, "app/sub/deep")))
	}, want: "built"},
	{what: "an extended attribute", do: func(w *resumeWorld, dir string) {
		if err := unix.Setxattr(filepath.Join(dir, "app/file"), "user.mark", []byte("x"), 0); err != nil {
			w.put(filepath.Join(dir, "app/file"), "this file system has none")
		}
	}, want: "built"},
	{what: "a file that is in the context and not in the image", do: writes("README", "other"), want: "built"},
	{what: "a file that is ignored", do: writes("app/notes.tmp", "other"), want: "resumed"},
	{what: "a new file that is ignored", do: writes("app/sub/more.tmp", ""), want: "resumed"},
	{what: "a rule of the ignore file", do: writes(".dockerignore", "**/*.tmp\napp/sub\n"), want: "built"},
	{what: "an ignore file of the Dockerfile's own", do: writes("Dockerfile.dockerignore", "**/*.tmp\nREADME\n"), want: "built"},
	{what: "times alone", do: func(w *resumeWorld, dir string) {
		at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, name := range []string{"app/file", "app", "Dockerfile"} {
			w.must(os.Chtimes(filepath.Join(dir, name), at, at))
		}
	}, want: "resumed"},
	{what: "the same written again", do: writes("app/file", "content"), want: "resumed"},
	{what: "an instruction", do: writes("Dockerfile", resumeProject["Dockerfile"]+"ENV A=b\n"), want: "built"},
	{what: "a comment in the Dockerfile", do: writes("Dockerfile", "# new\n"+resumeProject["Dockerfile"]), want: "built"},
	{what: "archbuild.yaml that says another platform's argument", do: writes("archbuild.yaml", "args: {linux/s390x: {WORD: big}}\n"), want: "built"},
}

// changesOfFlags are those of the command line.
var changesOfFlags = []change{
	{what: "a build argument", then: flags("--build-arg", "WORD=other"), want: "built"},
	{what: "a build argument of another step", then: flags("--build-arg", "MODE=slow"), want: "built"},
	{what: "a build argument for this platform", then: flags("--build-arg", "linux/"+runtime.GOARCH+":WORD=other"), want: "built"},
	{what: "a build argument for another platform", then: flags("--build-arg", "linux/s390x:WORD=other"), want: "resumed"},
	{what: "a build argument from the environment", then: flags("--build-arg", "HUB"), want: "built"},
	{what: "a label", then: flags("--label", "a=b"), want: "built"},
	{what: "the target", then: flags("--target", "small"), want: "built"},
	{what: "an annotation of the image", then: flags("--annotation", "manifest:a=b"), want: "built"},
	{what: "an annotation of the index", then: flags("--annotation", "index:a=b"), want: "resumed"},
	{what: "the compression of layers", then: flags("-o", "type=oci,dest=out.tar,compression=zstd,force-compression=true"), want: "built"},
	{what: "the kind of output", then: flags("-o", "type=oci,dest=out.tar"), want: "resumed"},
	{what: "a time for all files", then: flags("--build-arg", "SOURCE_DATE_EPOCH=1000000000"), want: "built"},
	{what: "another time for all files", args: flags("--build-arg", "SOURCE_DATE_EPOCH=1000000000"), then: flags("--build-arg", "SOURCE_DATE_EPOCH=1000000001"), want: "built"},
	{what: "the network of RUN", then: flags("--network", "none"), want: "built"},
	{what: "hosts of RUN", then: flags("--add-host", "mirror:10.0.0.2"), want: "built"},
	{what: "the name of the image", args: flags("-t", "app:1"), then: flags("-t", "app:2"), want: "resumed"},
	{what: "how strict verification is", then: flags("--verify", "warn"), want: "resumed"},
	{what: "how progress is shown", then: flags("--progress", "quiet"), want: "resumed"},
	{what: "provenance", then: flags("--provenance", "true"), want: "built", anew: true},
	{what: "nothing, with provenance", args: flags("--provenance", "true"), want: "resumed", anew: true},
	{what: "provenance that tells more", args: flags("--provenance", "mode=min"), then: flags("--provenance", "mode=max"), want: "built", anew: true},
	{what: "nothing, and no cache is wanted", then: flags("--no-cache"), want: "built", anew: true},
	{what: "nothing, and a stage is not to be cached", then: flags("--no-cache-filter", "tools"), want: "built", anew: true},
	{what: "nothing, and bases are to be asked for", then: flags("--pull"), want: "built"},
	{what: "nothing, and the cache is to be written", then: flags("--cache-to", "type=inline"), want: "built", anew: true},
	{what: "nothing, and nothing is to be resumed", then: flags("--no-resume"), want: "built"},
	{what: "nothing, and resuming is switched off", then: flags("--resume=false"), want: "built"},
	{what: "nothing, and resuming is asked for", then: flags("--resume"), want: "resumed"},
}

// changesElsewhere are those of what a build takes from beside its context.
var changesElsewhere = []change{
	{what: "a secret", args: flags("--secret", "id=token,src=SECRET"), do: func(w *resumeWorld, _ string) { w.put(w.secret, "mackerel") }, want: "resumed"},
	{what: "a file of a named context", args: flags("--build-context", "more=OTHER"), do: func(w *resumeWorld, _ string) { w.put(filepath.Join(w.other, "file"), "new") }, want: "built"},
	{what: "a file that a named context ignores", args: flags("--build-context", "more=OTHER"), do: func(w *resumeWorld, _ string) { w.put(filepath.Join(w.other, "x.log"), "new") }, want: "resumed"},
	{what: "the place of a named context", args: flags("--build-context", "more=OTHER"), then: flags("--build-context", "more=MOVED"), do: func(w *resumeWorld, _ string) {
		w.must(os.CopyFS(w.other+"-moved", os.DirFS(w.other)))
	}, want: "resumed"},
	{what: "a context in place of a stage", then: flags("--build-context", "small=OTHER"), want: "built"},
	{what: "a time in a context that stands for a stage", args: flags("--build-context", "small=OTHER", "--target", "small"), do: func(w *resumeWorld, _ string) {
		at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		w.must(os.Chtimes(filepath.Join(w.other, "file"), at, at))
	}, want: "built", anew: true, differs: true},
	{what: "nothing, and a context stands for a stage", args: flags("--build-context", "small=OTHER", "--target", "small"), want: "resumed", anew: true},
	{what: "proxies of the Docker config", do: func(w *resumeWorld, _ string) {
		w.put(filepath.Join(filepath.Dir(w.state), "docker", "config.json"), `{"proxies": {"default": {"httpProxy": "http://127.0.0.1:9", "noProxy": "*"}}}`)
	}, want: "resumed"},
}

// TestResuming runs a build, changes one thing, and builds again: what must be built is, what
// is resumed is what building would have made.
func TestResuming(t *testing.T) {
	w := newResumeWorld(t)
	w.put(filepath.Join(w.other, ".dockerignore"), "*.log\n")
	place := strings.NewReplacer("SECRET", w.secret, "OTHER", w.other, "MOVED", w.other+"-moved")
	for _, list := range [][]change{changesOfFiles, changesOfFlags, changesElsewhere} {
		for _, c := range list {
			t.Run(c.what, func(t *testing.T) {
				w.TB = t
				expand := func(args []string) (all []string) {
					for _, arg := range args {
						all = append(all, place.Replace(arg))
					}
					return all
				}
				dir := w.project(resumeProject)
				w.put(filepath.Join(dir, "README"), c.what) // no two rows have their results from one another
				first, second := expand(c.args), expand(c.args)
				if len(c.then) > 0 {
					second = expand(c.then)
				}
				before := w.build(dir, first...)
				if c.do != nil {
					c.do(w, dir)
				}
				again := w.build(dir, second...)
				if got := again.states(); got != c.want {
					t.Errorf("it was %s, want %s", got, c.want)
				}
				if c.differs && again.Images[0].Digest == before.Images[0].Digest {
					t.Error("the image is the one before the change")
				}
				if c.anew {
					return
				}
				fresh := w.build(dir, append(second, "--no-resume")...)
				if got := fresh.states(); got != "built" {
					t.Errorf("with --no-resume it was %s", got)
				}
				if again.Images[0].Digest != fresh.Images[0].Digest {
					t.Errorf("%s is %s, and building makes %s", again.states(), again.Images[0].Digest, fresh.Images[0].Digest)
				}
			})
		}
	}
}
