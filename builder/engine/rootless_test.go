//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/platform"
	"golang.org/x/sys/unix"
)

// buildMain is a run that builds the box: state folder, context, platform, how
// long RUN takes, and a token that makes it a new one.
func buildMain(args []string) error {
	runc, err := engine.FindRunc("")
	if err != nil {
		return err
	}
	h, err := engine.Ensure(context.Background(), engine.Options{State: args[0], Environ: os.Environ(), Runc: runc, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer h.Close()
	took, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	out, err := buildBoxFor(context.Background(), h.Client, args[1], sleeper(took, args[4]), map[string]string{"platform": args[2]})
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return json.NewEncoder(os.Stdout).Encode(seen{PID: h.State.PID, Started: h.Started})
}

// plain is a plain user with this test binary.
type plain struct {
	fixtures.PlainUser
	binary, state string
	// procIsCovered says that a file of /proc is covered, as container engines do: the
	// kernel mounts no /proc in a user namespace then.
	procIsCovered bool
	// isRoot says that the user has become root of a namespace before, as in a
	// container of podman's.
	isRoot bool
	// isConfined says that no program can have CAP_SYS_ADMIN, as in a container, and
	// that the user's own programs come first.
	isConfined bool
}

func newPlain(t *testing.T) plain {
	t.Helper()
	p := plain{PlainUser: fixtures.PlainUserForTest(t)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.binary = p.Give(t, self, "engine.test")
	p.state = filepath.Join(p.Home, ".local/state/archbuild")
	t.Cleanup(func() {
		if log, err := os.ReadFile(p.state + "/run/engine.log"); err == nil && t.Failed() {
			t.Logf("engine.log:\n%s", log)
		}
	})
	return p
}

// run runs the test binary as the user and gives what a client prints.
func (p plain) run(t *testing.T, args ...string) seen {
	t.Helper()
	s, err := p.try(args...)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return s
}

// command is a run of the test binary as the user, in the place that p says.
func (p plain) command(args ...string) *exec.Cmd {
	cmd := p.Command(p.binary, args...)
	as := fmt.Sprintf("exec setpriv --reuid=%d --regid=%d --clear-groups", p.UID, p.GID)
	switch {
	case p.isRoot:
		maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(p.UID), Size: 1}, {ContainerID: 1, HostID: int(p.FirstSub), Size: int(p.Subs)}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: maps, GidMappings: maps, GidMappingsEnableSetgroups: true,
			Credential: &syscall.Credential{},
		}
	case p.procIsCovered:
		return asRoot(cmd, "unshare", "--mount", "sh", "-c", "mount --bind /dev/null /proc/keys && "+as+" \"$@\"", "sh")
	case p.isConfined:
		return asRoot(cmd, "sh", "-c", as+" --bounding-set=-sys_admin env PATH="+p.Home+"/bin:/usr/bin:/bin \"$@\"", "sh")
	}
	return cmd
}

// asRoot starts a command by way of another one, which root runs.
func asRoot(cmd *exec.Cmd, by ...string) *exec.Cmd {
	root := exec.Command(by[0], append(by[1:], cmd.Args...)...)
	root.Dir, root.Env = cmd.Dir, append(cmd.Env, "PATH="+os.Getenv("PATH"))
	return root
}

func (p plain) try(args ...string) (s seen, err error) {
	cmd := p.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%w: %s", err, &stderr)
	}
	if stdout.Len() > 0 {
		err = json.Unmarshal(stdout.Bytes(), &s)
	}
	return s, err
}

// box is a context with the box, the user's own.
func (p plain) box(t *testing.T) string { return p.Give(t, boxContext(t), "box") }

// here is this machine's platform.
const here = "linux/" + runtime.GOARCH

// wantNothingLeft says what the user has left in the system after the engine.
func (p plain) wantNothingLeft(t *testing.T) {
	t.Helper()
	waitFor(t, "the last process to end", func() bool { return len(p.Processes()) == 0 })
	for _, r := range p.Remains() {
		t.Errorf("left behind: %s", r)
	}
	for _, pattern := range []string{"/run/*.sock", "/buildkit-*/*/executor/*/config.json", "/run/tmp/*"} {
		paths, _ := filepath.Glob(p.state + pattern)
		for _, path := range paths {
			t.Errorf("left behind: %s", path)
		}
	}
}

func TestAPlainUserHasAnEngineToo(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	dir := p.box(t)
	began := time.Now()
	first := p.run(t, "build", p.state, dir, here, "1ms", "one")
	t.Logf("the first: %s", time.Since(began))
	began = time.Now()
	second := p.run(t, "build", p.state, dir, here, "1ms", "two")
	t.Logf("the second: %s", time.Since(began))
	if !first.Started || second.Started || first.PID != second.PID {
		t.Errorf("two engines: %+v and %+v", first, second)
	}
	p.run(t, "stop", p.state)
	p.wantNothingLeft(t)
}

// Who is root of a namespace already needs no other.
func TestRootOfANamespaceHasAnEngine(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	p.isRoot = true
	dir := p.box(t)
	first := p.run(t, "build", p.state, dir, here, "1ms", "one")
	second := p.run(t, "build", p.state, dir, here, "1ms", "two")
	if !first.Started || second.Started {
		t.Errorf("two engines: %+v and %+v", first, second)
	}
	p.run(t, "stop", p.state)
	p.wantNothingLeft(t)
}

// In a container newuidmap may have no more rights than the owner of a namespace
// has; as a set-user-ID program it is not the owner.
func TestAConfinedUserNeedsFileCapabilities(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	p.isConfined = true
	// Some become the user by themselves.
	if _, err := p.try("client", p.state); err != nil && !strings.Contains(err.Error(), "setcap cap_setuid=ep") {
		t.Errorf("got %v, want how to give newuidmap file capabilities", err)
	}
	bin := p.Home + "/bin"
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, capability := range map[string]uint32{"newuidmap": unix.CAP_SETUID, "newgidmap": unix.CAP_SETGID} {
		data, err := os.ReadFile("/usr/bin/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
		// Version 2, effective; the permitted and the inheritable ones of each half.
		var value []byte
		for _, word := range []uint32{0x02000001, 1 << capability, 0, 0, 0} {
			value = binary.LittleEndian.AppendUint32(value, word)
		}
		if err := unix.Setxattr(filepath.Join(bin, name), "security.capability", value, 0); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, "client", p.state)
	p.run(t, "stop", p.state)
	if err := os.RemoveAll(bin); err != nil {
		t.Fatal(err)
	}
	p.wantNothingLeft(t)
}

// The machine's list of emulators need not have these. The box is a program of a
// few instructions.
func TestAPlainUserHasEmulatorsOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	for _, spelling := range []string{"linux/arm64", "linux/riscv64", "linux/s390x"} {
		probe := detect.Probe(platform.MustParse(spelling))
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "box"), probe, 0o755); err != nil {
			t.Fatal(err)
		}
		p.run(t, "build", p.state, p.Give(t, dir, strings.ReplaceAll(spelling, "/", "-")), spelling, "1ms", "one")
	}
	p.run(t, "stop", p.state)
	p.wantNothingLeft(t)
}

// Neither many runs at once nor one that is killed while it starts the engine are
// a reason for a second one, or leave a keeper without an engine.
func TestRunsOfAPlainUserDoNoHarm(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	for _, after := range []time.Duration{3, 8, 15, 25, 40, 80} {
		killed := p.command("client", p.state)
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond)
		killed.Process.Kill()
		killed.Wait()
		pids := make(chan int, 4)
		for range cap(pids) {
			go func() {
				s, err := p.try("client", p.state)
				if err != nil {
					t.Errorf("killed after %d ms: %v", after, err)
				}
				pids <- s.PID
			}()
		}
		one := <-pids
		for range cap(pids) - 1 {
			if other := <-pids; other != one {
				t.Errorf("killed after %d ms: engines %d and %d", after, one, other)
			}
		}
		p.run(t, "stop", p.state)
		p.wantNothingLeft(t)
	}
}

// A killed engine takes its containers with it, and the next one works.
func TestAPlainUsersEngineIsKilled(t *testing.T) {
	for name, covered := range map[string]bool{
		"with processes of its own":      false,
		"where part of /proc is covered": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t)
			p.procIsCovered = covered
			dir := p.box(t)
			p.run(t, "build", p.state, dir, here, "1ms", "before")
			for i, after := range []time.Duration{0, 200} {
				token := fmt.Sprintf("t%d-%d", i, time.Now().UnixNano())
				engine := p.run(t, "client", p.state)
				done := make(chan error, 1)
				go func() {
					_, err := p.try("build", p.state, dir, here, "1m", token)
					done <- err
				}()
				waitFor(t, "the container", func() bool { return p.hasProcess(token, "box") })
				time.Sleep(after * time.Millisecond)
				syscall.Kill(engine.PID, syscall.SIGKILL)
				if err := <-done; err == nil {
					t.Error("the build whose engine was killed has passed")
				}
				waitFor(t, "the container to end", func() bool { return len(p.Processes()) == 0 })
				p.run(t, "build", p.state, dir, here, "1ms", token+"-after")
			}
			p.run(t, "stop", p.state)
			p.wantNothingLeft(t)
		})
	}
}

// However it ends, no process is left of it, and the next one sweeps the rest.
func TestAPlainUsersEngineEnds(t *testing.T) {
	stopAll := func(p plain) {
		for pid := range p.Processes() {
			syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
	for name, end := range map[string]func(t *testing.T, p plain, pid int){
		"when it is idle":      func(t *testing.T, p plain, _ int) { p.run(t, "client", p.state, "100ms") },
		"when it hangs":        func(t *testing.T, p plain, pid int) { syscall.Kill(pid, syscall.SIGSTOP); p.run(t, "stop", p.state) },
		"when all of it hangs": func(t *testing.T, p plain, _ int) { stopAll(p); p.run(t, "stop", p.state) },
		"when its keeper is killed": func(_ *testing.T, p plain, pid int) {
			for other := range p.Processes() {
				if other != pid {
					syscall.Kill(other, syscall.SIGKILL)
				}
			}
		},
		"when its session ends": func(_ *testing.T, p plain, _ int) {
			for pid := range p.Processes() {
				syscall.Kill(pid, syscall.SIGTERM)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t)
			began := p.run(t, "client", p.state)
			if n := len(p.Processes()); n != 2 {
				t.Fatalf("an engine and its keeper are %d processes", n)
			}
			end(t, p, began.PID)
			waitFor(t, "the last process to end", func() bool { return len(p.Processes()) == 0 })
			if next := p.run(t, "client", p.state); !next.Started {
				t.Errorf("the next run has found an engine: %+v", next)
			}
			p.run(t, "stop", p.state)
			p.wantNothingLeft(t)
		})
	}
}

// hasProcess says whether the user runs a process with both words in its command line.
func (p plain) hasProcess(words ...string) bool {
	for _, line := range p.Processes() {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all && !strings.Contains(line, "engine.test") {
			return true
		}
	}
	return false
}
