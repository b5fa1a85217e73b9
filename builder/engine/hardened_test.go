//go:build linux

package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"golang.org/x/sys/unix"
)

// canary is part of every value that must not leave the run it was given to.
const canary = "canary-3f9d"

// canaries are fifty variables as CI systems and shells have them.
func canaries() []string {
	var list []string
	for _, name := range []string{
		"GITHUB_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "DOCKER_AUTH_CONFIG", "DOCKER_PASSWORD", "REGISTRY_TOKEN",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS",
		"SSH_AUTH_SOCK", "SSH_ASKPASS", "GPG_AGENT_INFO", "GNUPGHOME", "NPM_TOKEN", "PYPI_TOKEN", "CARGO_REGISTRY_TOKEN", "GOPROXY", "NETRC",
		"VAULT_TOKEN", "KUBECONFIG", "SLACK_WEBHOOK", "DATABASE_URL", "PGPASSWORD", "MYSQL_PWD", "REDIS_URL", "SECRET_KEY_BASE", "XDG_SESSION_COOKIE",
		"BASH_ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "GODEBUG", "PYTHONPATH", "NOTIFY_SOCKET", "LISTEN_FDS_", "BUILDKIT_HOST", "DOCKER_CONFIG", "PATH_TO_KEY",
		"HOMEBREW_TOKEN", "TMPDIR_KEY", "LANG_KEY", "http_proxy_password", "SSL_CERT_KEY", "OTEL_EXPORTER_OTLP_HEADERS", "SUDO_ASKPASS", "MAIL", "USER_PASSWORD", "Z",
	} {
		list = append(list, name+"="+canary+"-"+name)
	}
	return list
}

// leaks opens files as a shell or make leaves them open for its children.
func leaks(t *testing.T, n int) (name string) {
	t.Helper()
	leak, err := os.Create(filepath.Join(t.TempDir(), "leak-"+canary))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leak.Close() })
	for range n {
		fd, err := syscall.Dup(int(leak.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
	}
	return leak.Name()
}

// shown is what /proc tells of a process: its variables and its open files.
func shown(t *testing.T, pid int) string {
	t.Helper()
	proc := "/proc/" + strconv.Itoa(pid)
	env, err := os.ReadFile(proc + "/environ")
	if err != nil || len(env) == 0 {
		t.Fatalf("the environment of process %d cannot be seen: %v", pid, err)
	}
	fds, _ := filepath.Glob(proc + "/fd/*")
	if len(fds) < 4 {
		t.Fatalf("the files of process %d cannot be seen: %q", pid, fds)
	}
	text := string(env)
	for _, fd := range fds {
		to, _ := os.Readlink(fd)
		text += "\n" + to
	}
	return text
}

// Neither the engine nor runc nor a container learns what the run was given that
// happened to start the engine.
func TestNoVariableAndNoFileOfTheRunGoesOn(t *testing.T) {
	o := options(t)
	requireRunc(t, o.Runc)
	if n := len(canaries()); n != 50 {
		t.Fatalf("%d canaries", n)
	}
	leak := leaks(t, 20)
	for _, kv := range canaries() {
		name, value, _ := strings.Cut(kv, "=")
		if name != "LD_PRELOAD" && name != "GODEBUG" { // they would change this very process's children
			t.Setenv(name, value)
		}
	}
	dump := filepath.Join(t.TempDir(), "runc-was-given")
	spy := filepath.Join(t.TempDir(), "runc")
	script := fmt.Sprintf("#!/bin/sh\n{ tr '\\0' '\\n' </proc/$$/environ; ls -l /proc/$$/fd; } >>%s\nexec %s \"$@\"\n", dump, o.Runc)
	if err := os.WriteFile(spy, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o.Runc = spy
	o.Environ = append(append(os.Environ(), canaries()...), "HTTPS_PROXY=http://me:"+canary+"-proxy@proxy.example:3128")
	h := ensure(t, o)
	out, err := buildBox(t.Context(), h.Client, boxContext(t), "FROM scratch\nCOPY box /box\nRUN [\"/box\", \"show\", \"/done\"]\n")
	if err != nil {
		t.Fatalf("the build: %v\n%s", err, out)
	}
	given, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	// The one that is passed on: the engine talks through the proxy, as does its git.
	proxy := "HTTPS_PROXY=http://me:" + canary + "-proxy@proxy.example:3128"
	for what, text := range map[string]string{
		"the engine":    strings.Replace(shown(t, h.State.PID), proxy, "", 1),
		"runc":          strings.ReplaceAll(string(given), proxy, ""),
		"the container": out,
	} {
		if !strings.Contains(text, "PATH=") {
			t.Errorf("%s was given no PATH: is this what was asked for?\n%s", what, text)
		}
		if strings.Contains(text, canary) || strings.Contains(text, leak) {
			t.Errorf("%s has something of the run:\n%s", what, text)
		}
	}
	for line := range strings.Lines(out) {
		// The Go runtime of the box has files of its own: control groups, an epoll.
		fd, to, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "fd ")), ": ")
		n, err := strconv.Atoi(fd)
		if err == nil && n > 2 && (strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, o.State)) {
			t.Errorf("the container has a file of the engine: %s", line)
		}
	}
}

func TestNoVariableAndNoFileOfAPlainUsersRunGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlain(t)
	cmd := p.command("client", p.state)
	cmd.Env = append(cmd.Env, canaries()...)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "LD_PRELOAD=") || strings.HasPrefix(kv, "GODEBUG=") })
	leak, err := os.Create(filepath.Join(t.TempDir(), "leak-"+canary))
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	cmd.ExtraFiles = slices.Repeat([]*os.File{leak}, 20)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pids := p.Processes()
	if len(pids) != 2 {
		t.Fatalf("an engine and its keeper are %d processes", len(pids))
	}
	for pid, line := range pids {
		if text := shown(t, pid); strings.Contains(text, canary) {
			t.Errorf("%s has something of the run:\n%s", line, text)
		}
	}
	p.run(t, "stop", p.state)
	p.wantNothingLeft(t)
}

// tellDumpable has an engine of the tests say on SIGUSR1 whether it can be dumped:
// nobody else can ask the kernel for that.
func tellDumpable() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for range asked {
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		fmt.Fprintf(os.Stderr, "test: pid %d, dumpable: %d %v\n", os.Getpid(), n, err)
	}
}

func TestTheEngineLeavesNoCore(t *testing.T) {
	wantUndumpable := func(t *testing.T, state string, pids ...int) {
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGUSR1)
		}
		var said int
		waitFor(t, "the engine's word", func() bool {
			log, _ := os.ReadFile(filepath.Join(state, "run/engine.log"))
			said = bytes.Count(log, []byte("dumpable: 0 <nil>"))
			return bytes.Count(log, []byte("dumpable: ")) == len(pids)
		})
		if said != len(pids) {
			t.Errorf("%d of %d processes are undumpable", said, len(pids))
		}
	}
	t.Run("of root", func(t *testing.T) {
		o := options(t)
		wantUndumpable(t, o.State, ensurePID(t, o))
	})
	t.Run("of a plain user", func(t *testing.T) {
		p := newPlain(t)
		p.run(t, "client", p.state)
		var pids []int
		for pid := range p.Processes() {
			pids = append(pids, pid)
		}
		wantUndumpable(t, p.state, pids...)
		p.run(t, "stop", p.state)
		p.wantNothingLeft(t)
	})
}

// stranger is a user that has nothing to do with these tests.
const stranger = 54321

// asStranger starts the test binary as that user.
func asStranger(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("becoming another user needs root")
		}
		t.Skip("becoming another user needs root")
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}, Pdeathsig: syscall.SIGKILL}
	cmd.Dir = "/"
	return cmd
}

// knockMain connects to a socket as a client would and prints how many bytes it hears.
func knockMain(args []string) error {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	// What every gRPC client begins with: the preface of HTTP/2 and empty settings.
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, _ := conn.Read(make([]byte, 64))
	fmt.Println(n)
	return nil
}

// listenMain opens a socket for everybody and prints how many bytes each client sends.
func listenMain(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	if err := os.Chmod(args[0], 0o666); err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _ := conn.Read(make([]byte, 64))
		fmt.Println(n)
	}
}

// The socket and its folder are closed to others; this is where somebody has opened
// them.
func TestTheEngineHearsNoOtherUser(t *testing.T) {
	o := options(t)
	h := ensure(t, o)
	for dir := filepath.Dir(h.State.Socket); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(h.State.Socket, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := asStranger(t, "knock", h.State.Socket).CombinedOutput()
	if err != nil || string(out) != "0\n" {
		t.Errorf("another user hears %q bytes, %v", out, err)
	}
	out, err = exec.Command("/proc/self/exe", "knock", h.State.Socket).CombinedOutput()
	if err != nil || string(out) == "0\n" {
		t.Errorf("this user hears %q bytes, %v: the test proves nothing", out, err)
	}
	log, _ := os.ReadFile(h.State.Log)
	if want := fmt.Sprintf("run by user %d", stranger); !strings.Contains(string(log), want) {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}

// A session offers credentials and files, so it is not opened with just anybody.
func TestAServerOfAnotherUserIsTakenForNoEngine(t *testing.T) {
	o := options(t)
	ensure(t, o).Close()
	stop(t, o)
	dir := t.TempDir()
	if err := errors.Join(os.Chown(dir, stranger, stranger), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "engine.sock")
	server := asStranger(t, "listen", socket)
	heard, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	line := make([]byte, 16)
	if n, err := heard.Read(line); err != nil || string(line[:n]) != "ready\n" {
		t.Fatalf("the other server says %q, %v", line[:n], err)
	}
	record := filepath.Join(o.State, "run/engine.json")
	if err := os.WriteFile(record, []byte(fmt.Sprintf(`{"running": true, "socket": %q}`, socket)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ensured := engine.Ensure(t.Context(), o)
	_, asked := engine.Status(t.Context(), o)
	for what, err := range map[string]error{"a build": ensured, "status": asked} {
		var foreign *engine.ForeignPeerError
		if !errors.As(err, &foreign) || foreign.UID != stranger || foreign.Hint() == "" {
			t.Errorf("%s: got %v, want a *ForeignPeerError", what, err)
		}
	}
	said := make([]byte, len("0\n0\n"))
	if _, err := io.ReadFull(heard, said); err != nil || string(said) != "0\n0\n" {
		t.Errorf("the other server has heard %q bytes, %v", said, err)
	}
}
