package kills_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// architectures are those of every build. Whichever machine this is, one of them is emulated.
var architectures = []string{"amd64", "arm64"}

// laneSpec says what is particular about a lane.
type laneSpec struct {
	name     string
	registry registrytest.Kind
	// addr is where its registry listens.
	addr     string
	rootless bool
}

// lane is a state folder with all that builds in it need.
type lane struct {
	*testing.T
	laneSpec
	hunt *hunt
	// state is the state folder, context what is built, out where outputs go, tmp the client's folder for temporary files.
	state, context, out, tmp string
	archbuild                string
	env                      []string
	user                     *fixtures.PlainUser
	registry                 *registry
	random                   *rand.Rand
	// warm and cold are runs of which nothing is killed, with an engine before and without one; assembly is that of manifest create.
	warm, cold, assembly profile
	// latest is what the tag latest names.
	latest string
	// containers are the ids of all that were seen.
	containers map[string]bool
}

func newLane(t *testing.T, h *hunt, spec laneSpec) *lane {
	t.Helper()
	l := &lane{T: t, laneSpec: spec, hunt: h, archbuild: h.tools.archbuild, containers: map[string]bool{}}
	sum := fnv.New64a()
	sum.Write([]byte(spec.name))
	l.random = rand.New(rand.NewPCG(h.seed, sum.Sum64()))
	// Not t.TempDir: the engine's socket has to have a short path.
	dir, err := os.MkdirTemp("", "archbuild-kills-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	home := dir
	if spec.rootless {
		user := fixtures.PlainUserForTest(t)
		l.user, home = &user, user.Home
		l.archbuild = user.Give(t, l.archbuild, "archbuild")
	}
	data := filepath.Join(dir, "registry")
	l.state, l.context, l.out, l.tmp = filepath.Join(home, "state"), filepath.Join(home, "context"), filepath.Join(home, "out"), filepath.Join(home, "tmp")
	for _, folder := range []string{data, l.context, l.out, l.tmp} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.registry = newRegistry(t, h.tools.registry[spec.registry], data, spec.addr)
	pushBase(t, l.registry.addr+"/base:1", h.tools.tool)
	l.fill()
	agent := serveAgent(t, filepath.Join(home, "agent.sock"))
	l.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + l.tmp, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"ARCHBUILD_STATE=" + l.state, "SSH_AUTH_SOCK=" + agent, "SOURCE_DATE_EPOCH=1700000000",
	}
	l.give(home)
	t.Cleanup(func() { l.mustStop() })
	return l
}

// fill makes the context. One step is the same in every build, the other one never is.
func (l *lane) fill() {
	l.write(filepath.Join(l.context, "same"), "same")
	l.write(filepath.Join(l.context, "key"), "secret")
	l.write(filepath.Join(l.context, "changed"), "")
	l.write(filepath.Join(l.context, ".dockerignore"), "key\n")
	l.write(filepath.Join(l.context, "Dockerfile"), fmt.Sprintf(`FROM %[1]s/base:1 AS build
COPY same /in/same
RUN ["/tool", "copy", "/in/same", "/out/same"]
COPY changed /in/changed
RUN --mount=type=cache,target=/cache --mount=type=secret,id=key --mount=type=ssh ["/tool", "work", %[2]q, "/in/changed", "/out/changed"]
FROM %[1]s/base:1
COPY --from=build /out /out
`, l.registry.addr, l.token()))
}

// token marks the processes of this lane's containers.
func (l *lane) token() string { return "lane-" + l.state }

func (l *lane) write(file, content string) {
	l.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		l.Fatal(err)
	}
}

// give makes the user of this lane the owner of its folders.
func (l *lane) give(home string) {
	l.Helper()
	if l.user == nil {
		return
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprintf("%d:%d", l.user.UID, l.user.GID), home).CombinedOutput(); err != nil {
		l.Fatalf("%v: %s", err, out)
	}
}

// serveAgent is an agent that has no keys.
func serveAgent(t *testing.T, socket string) string {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for buffer := make([]byte, 64); ; {
					if _, err := c.Read(buffer); err != nil {
						return
					}
					_, _ = c.Write([]byte{0, 0, 0, 5, 12, 0, 0, 0, 0})
				}
			}()
		}
	}()
	return socket
}

// command is archbuild in this lane.
func (l *lane) command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.archbuild, args...)
	if l.user != nil {
		cmd = l.user.Command(l.archbuild, args...)
	}
	cmd.Dir, cmd.Env, cmd.WaitDelay = l.out, l.env, time.Second
	return cmd
}

// build is what a round runs.
func (l *lane) build(r round) []string {
	tag := l.registry.addr + "/app:"
	args := []string{
		"build", l.context, "--platform", "linux/" + strings.Join(architectures, ",linux/"), "--progress", "rawjson",
		"-t", tag + l.tag(r), "-t", tag + "latest", "--push", "--secret", "id=key,src=" + filepath.Join(l.context, "key"), "--ssh", "default",
		"--metadata-file", "metadata.json", "--iidfile", "iid",
	}
	switch r.output {
	case "archive":
		args = append(args, "-o", "type=oci,dest=archive.tar")
	case "layout":
		args = append(args, "-o", "type=oci,tar=false,dest=layout")
	}
	return args
}

func (l *lane) tag(r round) string { return fmt.Sprintf("round-%d", r.number) }

// assemble puts together what the round has built, as another index in another repository.
func (l *lane) assemble(r round) []string {
	from := l.registry.addr + "/app:" + l.tag(r)
	return []string{"manifest", "create", "-t", l.registry.addr + "/joined:" + l.tag(r), "--annotation", "index:round=" + l.tag(r), from}
}

// ran is a run that has ended.
type ran struct {
	watch *watch
	// code is the exit status, -1 for one that was killed.
	code    int
	began   time.Time
	ended   time.Time
	profile profile
}

func (r ran) took() time.Duration { return r.ended.Sub(r.began) }

// patience is how long a run may take that nobody kills; one whose engine or registry was killed has to notice it by then.
const patience = 3 * time.Minute

// start starts a run. The channel is closed when it is over, and then the answer is filled in.
func (l *lane) start(w *watch, args ...string) (*exec.Cmd, *ran, <-chan struct{}) {
	l.Helper()
	cmd := l.command(args...)
	cmd.Stderr = w
	l.registry.listen(w.served)
	r, over := &ran{watch: w, began: time.Now()}, make(chan struct{})
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.Context()), patience)
	go func() {
		<-ctx.Done()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			_ = cmd.Process.Kill()
		}
	}()
	go func() {
		defer close(over)
		defer cancel()
		_ = cmd.Wait()
		r.ended, r.code = time.Now(), cmd.ProcessState.ExitCode()
		r.profile = w.profile(r.ended)
	}()
	return cmd, r, over
}

// must runs archbuild and fails the test if that fails.
func (l *lane) must(w *watch, args ...string) *ran {
	l.Helper()
	_, r, over := l.start(w, args...)
	<-over
	if r.code != 0 {
		l.Fatalf("archbuild %s: exit status %d after %s\n%s\n%s", strings.Join(args, " "), r.code, r.took(), tail(r.watch.text()), l.engineLog())
	}
	return r
}

func (l *lane) mustStop() { l.must(newWatch([]phase{""}), "engine", "stop") }

func (l *lane) engineLog() string {
	log, _ := os.ReadFile(filepath.Join(l.state, "run", "engine.log"))
	return "engine.log:\n" + tail(string(log))
}

// tail is the end of a text, without the lines that progress is shown by.
func tail(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `{"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-40):], "")
}
