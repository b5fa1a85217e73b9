package archbuild_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

type action struct {
	Inputs map[string]struct {
		Description string
		Default     *string
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []actionStep
	}
}

type actionStep struct {
	ID, Shell, Run, Uses string
	Env                  map[string]string
}

func readAction(t *testing.T) action {
	t.Helper()
	body, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// actionlint reads workflows; of an action this is looked at here.
func TestActionPastesNoInputIntoAScript(t *testing.T) {
	a := readAction(t)
	used := map[string]bool{}
	input := regexp.MustCompile(`^\$\{\{ inputs\.([a-z0-9-]+) \}\}$`)
	for _, step := range a.Runs.Steps {
		if step.Run == "" || step.Shell != "bash" || step.Uses != "" {
			t.Errorf("step %s: it is not run by bash", step.ID)
		}
		if strings.Contains(step.Run, "${{") {
			t.Errorf("an expression is pasted into %q", step.Run)
		}
		for _, value := range step.Env {
			if found := input.FindStringSubmatch(value); found != nil {
				used[found[1]] = true
			}
		}
	}
	for name, in := range a.Inputs {
		if !used[name] || in.Description == "" || in.Default == nil {
			t.Errorf("input %s: it is not used, or lacks description or default", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("input %s is used and does not exist", name)
	}
	for name, out := range a.Outputs {
		if out.Description == "" || out.Value != "${{ steps.run.outputs."+name+" }}" {
			t.Errorf("output %s is %q", name, out.Value)
		}
	}
}

// A tag can be moved to other code, a commit cannot.
func TestWorkflowsPinWhatTheyUse(t *testing.T) {
	files, err := filepath.Glob("examples/github/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	uses := regexp.MustCompile(`\buses:\s*(\S+)`)
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
	for _, file := range append(files, ".github/workflows/archbuild.yml") {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range uses.FindAllStringSubmatch(string(body), -1) {
			if !pinned.MatchString(found[1]) && found[1] != "./archbuild-out/action" {
				t.Errorf("%s uses %s", file, found[1])
			}
		}
		for _, key := range []string{"\npermissions: {}\n", "timeout-minutes: "} {
			if !strings.Contains(string(body), key) && !strings.Contains(string(body), "archbuild.yml@") {
				t.Errorf("%s has no %s", file, strings.TrimSpace(key))
			}
		}
	}
}

func TestTheGitLabExampleIsYAML(t *testing.T) {
	body, err := os.ReadFile("examples/gitlab/.gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var pipeline map[string]any
	if err := yaml.Unmarshal(body, &pipeline); err != nil || pipeline["plan"] == nil || pipeline["image"] == nil {
		t.Errorf("%v: %v", err, pipeline)
	}
}

// runner is what GitHub gives a step.
type runner struct {
	t    *testing.T
	temp string
}

func newRunner(t *testing.T) runner {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Fatal("bash is missing: ", err)
	}
	return runner{t, t.TempDir()}
}

// step runs a step of action.yml with these inputs, others as they are by default.
func (r runner) step(i int, inputs map[string]string) *exec.Cmd {
	r.t.Helper()
	a := readAction(r.t)
	here, err := filepath.Abs(".")
	if err != nil {
		r.t.Fatal(err)
	}
	step := a.Runs.Steps[i]
	cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run)
	cmd.Dir = r.temp
	cmd.Env = append(os.Environ(), "RUNNER_TEMP="+r.temp, "GITHUB_PATH="+r.temp+"/path", "GITHUB_OUTPUT="+r.temp+"/outputs")
	for key, value := range step.Env {
		name := strings.TrimSuffix(strings.TrimPrefix(value, "${{ inputs."), " }}")
		text, given := inputs[name]
		switch {
		case value == "${{ github.action_path }}":
			text = here
		case !given:
			text = *a.Inputs[name].Default
		}
		cmd.Env = append(cmd.Env, key+"="+text)
	}
	return cmd
}

// release makes an archive in which archbuild is this script, and returns its name and checksum.
func (r runner) release(script string) (name, sum string) {
	r.t.Helper()
	arch := runtime.GOARCH
	if arch == "arm" {
		arch = "armv7"
	}
	name = "archbuild_1.2.3_linux_" + arch + ".tar.gz"
	file, err := os.Create(filepath.Join(r.temp, name))
	if err != nil {
		r.t.Fatal(err)
	}
	hash := sha256.New()
	zipped := gzip.NewWriter(file)
	archive := tar.NewWriter(zipped)
	err = errors.Join(archive.WriteHeader(&tar.Header{Name: strings.TrimSuffix(name, ".tar.gz") + "/archbuild", Mode: 0o755, Size: int64(len(script))}))
	if _, wrote := archive.Write([]byte(script)); err != nil || wrote != nil {
		r.t.Fatal(err, wrote)
	}
	if err := errors.Join(archive.Close(), zipped.Close(), file.Close()); err != nil {
		r.t.Fatal(err)
	}
	body, err := os.ReadFile(file.Name())
	if err != nil {
		r.t.Fatal(err)
	}
	hash.Write(body)
	return name, fmt.Sprintf("%x", hash.Sum(nil))
}

func TestActionInstallsWhatFitsItsChecksum(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	r := newRunner(t)
	name, sum := r.release("#!/bin/sh\necho fake\n")
	if err := os.WriteFile(r.temp+"/sums", []byte(zeros+"  other.tar.gz\n"+sum+"  "+name+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for said, row := range map[string]struct {
		inputs map[string]string
		want   string // in the message; empty is success
	}{
		"the checksum fits":               {map[string]string{"sha256": sum}, ""},
		"it is one of several lines":      {map[string]string{"sha256": zeros + "  x\n" + sum + "  " + name}, ""},
		"it is in a file":                 {map[string]string{"checksums": "sums"}, ""},
		"the archive is another":          {map[string]string{"sha256": zeros}, "is not what its checksum says"},
		"there is no checksum":            {nil, "there is no checksum of " + name},
		"the file is not there":           {map[string]string{"checksums": "none"}, "the input checksums names no file"},
		"the file has no such line":       {map[string]string{"sha256": zeros + "  x\n"}, "there is no checksum of"},
		"the version climbs out":          {map[string]string{"version": "../../1", "sha256": sum}, "the input version is no version"},
		"the address is no https":         {map[string]string{"url": "http://127.0.0.1:1", "sha256": sum}, "http"},
		"the checksum is a shell command": {map[string]string{"sha256": "$(touch pwned)"}, "there is no checksum of"},
	} {
		inputs := map[string]string{"version": "v1.2.3", "url": r.temp}
		for key, value := range row.inputs {
			inputs[key] = value
		}
		_ = os.RemoveAll(r.temp + "/archbuild-bin")
		out, err := r.step(0, inputs).CombinedOutput()
		_, missing := os.Stat(r.temp + "/archbuild-bin/archbuild")
		if (err == nil) != (row.want == "") || (missing == nil) != (row.want == "") || !strings.Contains(string(out), row.want) {
			t.Errorf("%s: %v, %s", said, err, out)
		}
		if left, _ := filepath.Glob(r.temp + "/archbuild.*"); len(left) > 0 {
			t.Errorf("%s: left %q", said, left)
		}
	}
	if _, err := os.Stat(r.temp + "/pwned"); err == nil {
		t.Error("an input was run")
	}
}

func TestActionGivesInputsToArchbuildAsTheyAre(t *testing.T) {
	r := newRunner(t)
	_, sum := r.release("#!/bin/sh\nfor a; do printf '<%s>\\n' \"$a\"; done > \"$RUNNER_TEMP/args\"\ncat \"${DOCKER_CONFIG:-/dev/null}/config.json\" > \"$RUNNER_TEMP/login\" 2>/dev/null\necho '{\"include\":[]}'\n")
	if out, err := r.step(0, map[string]string{"version": "1.2.3", "sha256": sum, "url": r.temp}).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for said, row := range map[string]struct {
		inputs map[string]string
		want   []string
	}{
		"nothing but a path": {nil, []string{"build", "--", "."}},
		"all flags of a build": {map[string]string{
			"path": "a\nb c\n", "platforms": "linux/amd64", "tags": "x:1\nx:2\n", "file": "D", "target": "T", "build-args": "A=$(touch pwned)\n\nB=`x` \"y\"",
			"secrets": "id=s,env=S", "push": "true", "record": "registry", "timeout": "5m", "args": `--label 'a=b c' --no-cache "$(touch pwned)" ; *`,
		}, []string{
			"build", "--tag=x:1", "--tag=x:2", "--timeout=5m", "--platform=linux/amd64", "--file=D", "--target=T", "--build-arg=A=$(touch pwned)", "--build-arg=B=`x` \"y\"",
			"--secret=id=s,env=S", "--record=registry", "--push", "--label", "a=b c", "--no-cache", "$(touch pwned)", ";", "*", "--", "a", "b c",
		}},
		"a job of a matrix": {map[string]string{"leg": `./s --platform linux/arm64 '--label=it'\''s $HOME' --push`, "tags": "x"}, []string{"build", "./s", "--platform", "linux/arm64", "--label=it's $HOME", "--push"}},
		"a plan":            {map[string]string{"command": "ci plan", "tags": "x:1", "platforms": "p", "push": "true"}, []string{"ci", "plan", "--format=github", "--tag=x:1", "--platform=p", "--", "."}},
		"an assembly":       {map[string]string{"command": "ci assemble", "tags": "x:1", "platforms": "p,q", "timeout": "1m"}, []string{"ci", "assemble", "--tag=x:1", "--timeout=1m", "--require=p,q", "--", "registry"}},
	} {
		out, err := r.step(1, row.inputs).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", said, err, out)
			continue
		}
		body, err := os.ReadFile(r.temp + "/args")
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for _, word := range row.want {
			fmt.Fprintf(&want, "<%s>\n", word)
		}
		if diff := cmp.Diff(want.String(), string(body)); diff != "" {
			t.Errorf("%s: %s", said, diff)
		}
	}
	if outputs, _ := os.ReadFile(r.temp + "/outputs"); string(outputs) != "matrix={\"include\":[]}\n" {
		t.Errorf("outputs %q", outputs)
	}
	if _, err := os.Stat(r.temp + "/pwned"); err == nil {
		t.Error("an input was run")
	}
	for said, inputs := range map[string]map[string]string{
		"another command": {"command": "engine"}, "an open quote": {"args": "'x\n::add-mask::x"}, "a password for no host": {"password": "x"},
	} {
		if out, err := r.step(1, inputs).CombinedOutput(); err == nil || !strings.Contains(string(out), "::error title=archbuild::") || strings.Contains(string(out), "\n::add-mask") {
			t.Errorf("%s: %v %s", said, err, out)
		}
	}
	if out, err := r.step(1, map[string]string{"registry": "ghcr.io", "username": "u", "password": "p\"$x"}).CombinedOutput(); err != nil || strings.Contains(string(out), "p\"$x") {
		t.Errorf("%v %s", err, out)
	}
	if login, _ := os.ReadFile(r.temp + "/login"); string(login) != "{\"auths\":{\"ghcr.io\":{\"auth\":\"dTpwIiR4\"}}}\n" {
		t.Errorf("the login is %q", login)
	}
	if left, _ := filepath.Glob(r.temp + "/archbuild-[^b]*"); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// The runner signals the step's first process; archbuild has to hear of it.
func TestActionPassesOnThatAJobIsCancelled(t *testing.T) {
	r := newRunner(t)
	_, sum := r.release("#!/bin/sh\ntrap 'echo heard; exit 1' TERM\ntouch \"$RUNNER_TEMP/started\"\nwhile :; do sleep 0.05; done\n")
	if out, err := r.step(0, map[string]string{"version": "1.2.3", "sha256": sum, "url": r.temp}).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Who runs these tests in the background has them ignore SIGINT, and a shell never traps what it was started to ignore.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt)
	defer signal.Stop(asked)
	for _, number := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		_ = os.Remove(r.temp + "/started")
		cmd := r.step(1, nil)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(r.temp + "/started"); err == nil {
				break
			}
		}
		if err := cmd.Process.Signal(number); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 || !slices.Contains(strings.Fields(out.String()), "heard") {
			t.Errorf("%s: %v\n%s", number, err, &out)
		}
	}
}
