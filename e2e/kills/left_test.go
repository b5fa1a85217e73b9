package kills_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one of a lane.
type process struct {
	pid  int
	args []string
}

// processes are those of the lane's engine, in its containers, and clients that still run.
func (l *lane) processes() []process {
	var found []process
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		command, _ := os.ReadFile(folder + "/cmdline")
		mine := bytes.Contains(command, []byte(l.state))
		if !mine {
			environ, _ := os.ReadFile(folder + "/environ")
			mine = bytes.Contains(environ, []byte("="+l.state+"\x00"))
		}
		if mine {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			found = append(found, process{pid, strings.Split(strings.TrimSuffix(string(command), "\x00"), "\x00")})
		}
	}
	return found
}

func (p process) is(v victim) bool {
	line := " " + strings.Join(p.args, " ") + " "
	engine, keeps := strings.Contains(line, " -state "), strings.Contains(line, " -keep ") && !strings.Contains(line, " -keep=false ")
	switch v {
	case server:
		return engine && !keeps
	case keeper:
		return engine && keeps
	case container:
		return !engine && (filepath.Base(p.args[0]) == "runc" || strings.Contains(line, " work lane-"))
	}
	return false
}

// kill kills it, if it still is what it was.
func (p process) kill() bool {
	found, err := os.FindProcess(p.pid)
	if err != nil {
		return false
	}
	defer found.Release()
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	same := strings.TrimSuffix(string(command), "\x00") == strings.Join(p.args, "\x00")
	return err == nil && same && found.Signal(syscall.SIGKILL) == nil
}

// wantQuiet gives an engine that nobody uses a moment to let go of everything: processes, mounts, containers.
func (l *lane) wantQuiet(r round) {
	l.Helper()
	var busy []string
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		busy = l.mounts()
		for _, p := range l.processes() {
			if !p.is(server) && !p.is(keeper) {
				busy = append(busy, fmt.Sprintf("process %d: %q", p.pid, p.args))
			}
		}
		temporary, _ := filepath.Glob(l.tmp + "/*")
		if busy = append(busy, temporary...); len(busy) == 0 {
			return
		}
	}
	l.hunt.tally.note(func() { l.hunt.tally.left += len(busy) })
	for _, text := range busy {
		l.Errorf("%s: after the build that passed there is still: %s", r, text)
	}
}

// wantNothing stops the engine and looks for whatever is left of it.
func (l *lane) wantNothing() {
	l.Helper()
	l.mustStop()
	left := append(l.mounts(), l.files()...)
	for _, p := range l.processes() {
		left = append(left, fmt.Sprintf("process %d: %q", p.pid, p.args))
	}
	left = append(left, l.groups()...)
	left = append(left, l.locks()...)
	if l.user != nil {
		left = append(left, l.user.Remains()...)
	}
	for _, text := range left {
		l.Errorf("left: %s", text)
	}
	l.hunt.tally.note(func() { l.hunt.tally.looks++; l.hunt.tally.left += len(left) })
}

// mounts are those below the state folder. Where none is and no process, no network namespace can be either: nothing would hold it.
func (l *lane) mounts() []string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		l.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, l.state) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	return found
}

// groups are control groups of the state folder, and what runc has noted of containers that were seen.
func (l *lane) groups() []string {
	sum := sha256.Sum256([]byte(l.state))
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/archbuild-%x", "/sys/fs/cgroup/*/archbuild-%x"} {
		paths, _ := filepath.Glob(fmt.Sprintf(pattern, sum[:12]))
		found = append(found, paths...)
	}
	for id := range l.containers {
		paths, _ := filepath.Glob("/run/runc/" + id)
		found = append(found, paths...)
	}
	return found
}

// locks are those that somebody holds.
func (l *lane) locks() []string {
	var held []string
	for _, name := range []string{"run/gate.lock", "run/state.lock", "store/lock"} {
		f, err := os.Open(filepath.Join(l.state, name))
		if err != nil {
			l.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			held = append(held, fmt.Sprintf("the lock %s: %v", name, err))
		}
	}
	return held
}

// mayStay are the files and folders of a state folder without an engine, by their paths in it. All else is something half made:
// sockets, temporary files, bundles of containers, blobs that came in part, uploads that were to be continued.
var mayStay = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`run(/(gate\.lock|state\.lock|engine\.log))?`,
	`store(/lock|/blobs(/sha256(/[0-9a-f]{64})?)?)?`,
	`(files|verdicts)(/[0-9a-f]{64})?`,
	`results(/[0-9a-f]{16}(/sha256-[0-9a-f]{64})?)?`,
	`registry(/[0-9a-f]{16}(/(sha256-[0-9a-f]{64}|tag-[^/]+))?)?`,
	`times(/[0-9a-f]{32}\.json)?`,
	`journal|nodes\.json`,
	`buildkit-v[0-9.]+(/(cache|history)\.db|/runc-(overlayfs|native)(/.*)?)?`,
}, "|") + `)$`)

// mayStayInRoot are those of BuildKit's worker, in its folder.
var mayStayInRoot = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`(containerdmeta|metadata_v2)\.db|workerid|cachemounts|open`, // open: the engine was killed, and no other one has begun since
	`content(/ingest|/blobs(/sha256(/[0-9a-f]{64})?)?)?`,
	`executor(/(resolv\.conf|hosts|runc-log\.json))?`,
	`snapshots(/metadata\.db|/snapshots(/[0-9]+(/(fs|work)(/.*)?)?)?)?`,
}, "|") + `)$`)

var workerFolder = regexp.MustCompile(`^buildkit-v[0-9.]+/runc-[a-z]+/`)

// files are those of the state folder that may not stay.
func (l *lane) files() []string {
	var found []string
	err := filepath.WalkDir(l.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == l.state {
			return err
		}
		name, err := filepath.Rel(l.state, path)
		if err != nil {
			return err
		}
		ok := mayStay.MatchString(name)
		if at := workerFolder.FindString(name); at != "" {
			ok = mayStayInRoot.MatchString(strings.TrimPrefix(name, at))
			if strings.Contains(name, "/snapshots/snapshots/") && entry.IsDir() && strings.Count(name, "/") > 4 {
				return fs.SkipDir // a layer's own files
			}
		}
		if !ok {
			found = append(found, "file "+name)
		}
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	return found
}
