package detect

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

const (
	// crashDays is how far back the journal is asked.
	crashDays = 30
	// maxLog is how much of the end of a log is read.
	maxLog = 4 << 20
)

// A crash of an emulator, or of what it ran, is told in lines like these:
//
//	qemu-aarch64-st[1234]: segfault at 0 ip … in qemu-aarch64-static[55d0…]
//	traps: ldconfig[12] general protection fault … in qemu-aarch64-static[…]
//	Process 123 (qemu-x86_64) of user 0 dumped core.
//	qemu: uncaught target signal 11 (Segmentation fault) - core dumped
var (
	crashWord = regexp.MustCompile(`segfault|general protection|dumped core|core dumped|SIGSEGV|trap invalid opcode`)
	crashName = regexp.MustCompile(`qemu-([a-z0-9_]+)`)
)

const crashText = "qemu: uncaught target signal 11"

// readLog is a log that was read, or why it was not.
type readLog struct {
	name string
	text string
	// denied says that it is there and may not be read.
	denied bool
}

// CrashCheck looks for emulators that crashed: in the journal of the last 30 days,
// in the kernel's log files, in the kernel's own buffer. The first of them that tells
// of a crash is counted. Where none may be read it is Unknown. It takes as long as
// journalctl, and at most five seconds.
func CrashCheck(ctx context.Context, o Options) Check {
	c := Check{Name: "crashes of emulators", Group: "emulation", Status: OK}
	var read, denied []string
	for _, log := range []func() readLog{func() readLog { return o.journal(ctx) }, o.logFiles, o.kernelBuffer} {
		l := log()
		switch {
		case l.name == "":
			continue
		case l.denied:
			denied = append(denied, l.name)
			continue
		}
		if crashes := crashesIn(l.text); len(crashes) > 0 {
			return c.crashed(l.name, crashes)
		}
		read = append(read, l.name)
	}
	switch {
	case len(read) > 0:
		c.Source = strings.Join(read, ", ")
		c.Detail = "none is told of in " + c.Source
	case len(denied) > 0:
		c.Status, c.Detail = Unknown, "this user may not read "+strings.Join(denied, ", ")
	default:
		c.Status, c.Detail = Unknown, "there is neither a journal nor a log of the kernel here"
	}
	return c
}

// crashed is the check once lines were found.
func (c Check) crashed(source string, lines []string) Check {
	var emulators []string
	for _, line := range lines {
		if name := emulatorIn(line); name != "" && !slices.Contains(emulators, name) {
			emulators = append(emulators, name)
		}
	}
	slices.Sort(emulators)
	who := "emulators"
	if len(emulators) > 0 {
		who = strings.Join(emulators, ", ")
	}
	c.Status, c.Source = Degraded, source
	c.Detail = fmt.Sprintf("%s crashed %d times, the last: %s", who, len(lines), lines[len(lines)-1])
	if len(lines) == 1 {
		c.Detail = fmt.Sprintf("%s crashed once: %s", who, lines[0])
	}
	c.Affects = "emulated RUN steps, which then fail with signal 11 or status 139"
	c.Fix = "install a newer qemu-user-static, or build these platforms on nodes of their own (--node)"
	return c
}

// crashesIn are the lines of a log that tell of a crash, oldest first, fit to be shown.
func crashesIn(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, crashText) || crashWord.MatchString(line) && emulatorIn(line) != "" {
			list = append(list, shownLine(line))
		}
	}
	return list
}

// emulatorIn is the user-mode emulator that a line names; empty for others of qemu's
// programs. The kernel cuts names of processes off after 15 letters.
func emulatorIn(line string) string {
	for _, m := range crashName.FindAllStringSubmatch(line, -1) {
		for _, p := range platform.All() {
			if name := p.Names().QEMU; name == m[1] || len(m[1]) > 8 && strings.HasPrefix(name, m[1]) {
				return "qemu-" + name
			}
		}
	}
	return ""
}

// shownLine is a line of a log without what a terminal would obey, and not too long.
func shownLine(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, line)
	const most = 200
	if line = strings.TrimSpace(line); len(line) > most {
		line = line[:most] + "…"
	}
	return line
}

// journal asks journalctl, if there is a journal that this user may read: for
// others journalctl answers with nothing, as if nothing had happened.
func (o Options) journal(ctx context.Context) readLog {
	program := o.program("journalctl")
	var files []string
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		found, _ := filepath.Glob(filepath.Join(o.Path(dir), "*", "system.journal"))
		files = append(files, found...)
	}
	if program == "" || len(files) == 0 {
		return readLog{}
	}
	log := readLog{name: "the journal"}
	if !slices.ContainsFunc(files, readable) {
		log.denied = true
		return log
	}
	result, err := run.Command(ctx, run.Options{
		Path: program, Timeout: 5 * time.Second, MaxOutput: maxLog,
		Args: []string{"--quiet", "--no-pager", "--output=short-iso", fmt.Sprintf("--since=-%dd", crashDays), "--lines=500", "--grep=qemu"},
	})
	if err != nil { // older ones know no --grep, and without a hit the status is 1
		return readLog{}
	}
	log.text = string(result.Stdout)
	return log
}

// logFiles reads the end of what syslog wrote.
func (o Options) logFiles() readLog {
	var log readLog
	for _, name := range []string{"/var/log/kern.log", "/var/log/messages", "/var/log/syslog"} {
		text, err := tailOf(o.Path(name))
		switch {
		case err == nil:
			return readLog{name: name, text: text}
		case os.IsPermission(err):
			log = readLog{name: name, denied: true}
		}
	}
	return log
}

// kernelBuffer is the kernel's own log since the machine started.
func (o Options) kernelBuffer() readLog {
	if !o.Real() {
		return readLog{}
	}
	text, err := kernelLog()
	return readLog{name: "the kernel's log (dmesg)", text: text, denied: err != nil}
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// tailOf is the end of a file.
func tailOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxLog {
		if _, err := f.Seek(-maxLog, io.SeekEnd); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxLog))
	return string(text), err
}
