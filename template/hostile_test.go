package template_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/template"
)

// hostile files are made to cost time or memory, or to do harm in a message.
// want is what is said of them, with the line; empty for those that are valid.
var hostile = map[string]struct{ source, want string }{
	"10,000 stages in a chain":          {chain(10_000), ""},
	"10,001 stages":                     {chain(10_001), "Dockerfile:10001: more than 10000 instructions"},
	"10,000 stages of one name":         {strings.Repeat("FROM a AS a\n", 10_000), ""},
	"5,000 stages that copy cyclically": {cycle(5_000), "Dockerfile:2: COPY --from s1 names a stage that comes later"},
	"two stages that name each other":   {"FROM b AS a\nCOPY --from=b x y\nFROM a AS b\n", "Dockerfile:2: COPY --from b names a stage that comes later"},
	"a stage that names itself":         {"FROM a\nFROM b AS b\nCOPY --from=b x y\n", "Dockerfile:3: COPY --from b names the stage it is in"},
	"deeply nested variables":           {"FROM a\nFROM " + strings.Repeat("${a:-", 13_000) + "\n", "Dockerfile:2: "},
	"closed nested variables":           {"FROM " + strings.Repeat("${a:-", 10_000) + "x" + strings.Repeat("}", 10_000) + "\n", "Dockerfile:1: "},
	"nested variables in an ARG":        {"ARG V=" + strings.Repeat("${a:-", 10_000) + "x" + strings.Repeat("}", 10_000) + "\nFROM $V\n", "Dockerfile:2: "},
	"an unterminated heredoc":           {"FROM a\nRUN <<E\n" + strings.Repeat("longer\n", 90_000), "Dockerfile:2: unterminated heredoc"},
	"100 unterminated heredocs":         {"FROM a\nRUN " + strings.Repeat("<<E ", 10_000) + "\nE\n", "Dockerfile:2: unterminated heredoc"},
	"a heredoc of two million lines":    {"FROM a\nRUN <<E\n" + strings.Repeat("x\n", 2_000_000), "Dockerfile:100001: more than 100000 lines"},
	"10,000 mounts":                     {"FROM a\nRUN " + strings.Repeat("--mount=from=b,target=/x \\\n", 10_000) + "x\n", ""},
	"four million commas in mounts":     {"FROM a\nRUN " + strings.Repeat("--mount=from=b"+strings.Repeat(",", 60_000)+" \\\n", 60) + "x\n", ""},
	"two million continuations":         {"FROM a\nRUN x " + strings.Repeat("\\\n", 2_000_000) + "y\n", "Dockerfile:100001: more than 100000 lines"},
	"90,000 continuations":              {"FROM a\nRUN x " + strings.Repeat("\\\n", 90_000) + "y\n", ""},
	"a name split 90,000 times":         {"FROM a\nFROM " + strings.Repeat("a\\\n", 90_000) + "y\n", "Dockerfile:2: FROM aaa"},
	"4 MB of quotes":                    {"FROM a\nCOPY --from=" + strings.Repeat(strings.Repeat(`""`, 30_000)+"\\\n", 60) + "b c d\n", ""},
	"10,000 ARGs that build up":         {growing(10_000), "Dockerfile:10000: "},
	"9,000 ONBUILDs":                    {"FROM a AS a\n" + strings.Repeat("ONBUILD COPY --from=b c d\n", 9_000) + "FROM a\n", ""},
	"a line of 65,536 bytes":            {"FROM a\nRUN " + strings.Repeat("x", 65_532) + "\n", "Dockerfile:2: more than 65535 bytes in one line"},
	"4 MB in one line":                  {"FROM " + strings.Repeat("a", 4<<20-10), "Dockerfile:1: more than 65535 bytes in one line"},
	"a reference that is too long":      {"FROM " + strings.Repeat("a/", 30_000) + "a\n", "Dockerfile:1: FROM a/a/"},
	"control characters in a FROM":      {"FROM deb\x1b[2Jian\x07\n", `Dockerfile:1: FROM deb\u001b[2Jian\u0007 names no image`},
	"a null in a FROM":                  {"FROM deb\x00ian\n", "Dockerfile:1: "},
	"control characters in COPY --from": {"FROM a\nCOPY --from=x\x1b]0;y\x07 b c\n", `Dockerfile:2: COPY --from x\u001b]0;y\u0007 names no image`},
	"90,000 comments that are rules":    {"FROM a\n" + strings.Repeat("# FROM arm64=b arm=c\n", 90_000), ""},
	"50,000 bad rules":                  {strings.Repeat("# archbuild: linux/arm64=A\n", 50_000) + "FROM a\n", ""},
	"60,000 placeholders":               {"FROM a\n" + strings.Repeat("RUN %%A%%%%B%%"+strings.Repeat("%%A%%", 20)+"\n", 9_000), ""},
	"a million percent signs":           {"FROM a\n" + strings.Repeat("RUN "+strings.Repeat("%%A", 20_000)+"\n", 60), ""},
}

func chain(n int) string {
	var b strings.Builder
	b.WriteString("FROM a AS s0\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "FROM s%d AS s%d\n", i-1, i)
	}
	return b.String()
}

func cycle(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "FROM a AS s%d\nCOPY --from=s%d x y\n", i, (i+1)%n)
	}
	return b.String()
}

// growing has ARGs of 2, 4, 8 … bytes.
func growing(n int) string {
	var b strings.Builder
	b.WriteString("ARG a0=xx\n")
	for i := 1; i < n-1; i++ {
		fmt.Fprintf(&b, "ARG a%d=$a%d$a%d\n", i, i-1, i-1)
	}
	fmt.Fprintf(&b, "FROM $a%d\n", n-2)
	return b.String()
}

// The promise for every file, hostile or not.
const (
	soon  = time.Second
	small = 256 << 10 // in KB, as the kernel counts
)

// TestHostileFilesEndSoon reads each file in a process of its own, so that its
// peak of memory can be told. Of three tries the quickest counts, and on a machine
// where BuildKit's parser alone takes about as long, that is no failure.
func TestHostileFilesEndSoon(t *testing.T) {
	if name := os.Getenv("HOSTILE_FILE"); name != "" {
		start := processor()
		var err error
		if os.Getenv("HOSTILE_READER") == "buildkit" {
			accepts([]byte(hostile[name].source))
		} else {
			err = readAll(hostile[name].source)
		}
		fmt.Printf("took %d\n%v\n", processor()-start, err)
		return
	}
	for name, file := range hostile {
		t.Run(name, func(t *testing.T) {
			if len(file.source) > 4<<20 {
				t.Fatal("the file is over the limit itself:", len(file.source))
			}
			took, peak, said := apart(t, name, "archbuild")
			for try := 0; try < 2 && took > soon; try++ {
				again, _, _ := apart(t, name, "archbuild")
				took = min(took, again)
			}
			t.Logf("%v, %d MB; %.80s", took.Round(time.Millisecond), peak>>10, said)
			if took > soon {
				if own, _, _ := apart(t, name, "buildkit"); took > own+own/2 {
					t.Errorf("took %v, BuildKit's parser alone %v", took, own)
				}
			}
			if peak > small {
				t.Errorf("took %d MB", peak>>10)
			}
			if file.want == "" && !strings.HasPrefix(said, "<nil>") || !strings.HasPrefix(said, file.want) {
				t.Errorf("%.200q is said, not %q", said, file.want)
			}
		})
	}
}

// processor is the time that this process has spent on processors. Unlike a clock
// it does not count what other processes take on a busy machine.
func processor() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// apart lets a process of its own read a file. It returns the time, the peak of
// memory in KB, and what was said.
func apart(t *testing.T, name, reader string) (took time.Duration, peak int64, said string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHostileFilesEndSoon$")
	cmd.Env = append(os.Environ(), "HOSTILE_FILE="+name, "HOSTILE_READER="+reader)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	first, said, _ := strings.Cut(string(out), "\n")
	if _, err := fmt.Sscanf(first, "took %d", &took); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss, said
}

// readAll parses and evaluates a file; its error is the first there is.
func readAll(source string) error {
	parsed, err := template.Parse("Dockerfile", []byte(source))
	if err != nil {
		return err
	}
	uses, err := parsed.Uses(envs[0])
	if err != nil {
		return err
	}
	for _, u := range uses {
		if u.Problem != nil {
			return u.Problem
		}
	}
	return nil
}
