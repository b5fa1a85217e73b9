package builder

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// shownOf is what is shown of a step's output that comes in these parts, a tenth of a second apart.
func shownOf(parts ...string) string {
	s := newShown(Limits{}, new(atomic.Int64))
	var got strings.Builder
	at := time.Unix(1, 0)
	step := digest.FromString("step")
	for _, part := range parts {
		for _, l := range s.status(&client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step, Stream: 1, Data: []byte(part), Timestamp: at}}}).Logs {
			got.Write(l.Data)
		}
		at = at.Add(100 * time.Millisecond)
	}
	for _, l := range s.status(&client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Completed: &at}}}).Logs {
		got.Write(l.Data)
	}
	return got.String()
}

func TestAStepsOutputIsHarmlessAndInLines(t *testing.T) {
	bar := []string{"start\n"}
	for i := range 26 {
		bar = append(bar, fmt.Sprintf("\r\x1b[K%3d%%", i*4))
	}
	for name, row := range map[string]struct {
		parts []string
		want  string
	}{
		"text goes at once":                     {[]string{"...", "..", "\n"}, ".....\n"},
		"a sequence in two parts":               {[]string{"a\x1b]52;c;", "AAAA\x07b\n"}, "ab\n"},
		"a letter in two parts":                 {[]string{"gr\xc3", "\xb6\xc3\x9fe\n"}, "größe\n"},
		"a sequence that a line's end ends":     {[]string{"a\x1b[3", "\n1mb\n"}, "a\n1mb\n"},
		"a Windows line end in two parts":       {[]string{"a\r", "\nb\r\n"}, "a\nb\n"},
		"a bar: a state a second, and the last": {append(bar, "\ndone\n"), "start\n  0%\n 40%\n 80%\n100%\ndone\n"},
		"a bar at once: its first and last":     {[]string{"a  1%\ra  2%\ra  3%\n"}, "a  1%\na  3%\n"},
		"a bar without end":                     {[]string{"1%\r2%", "\r3%"}, "1%\n3%"},
		"a line that is wiped":                  {[]string{"wait\r    \r\n"}, "wait\n"},
		"a faked line":                          {[]string{"bad\rgood\n"}, "bad\ngood\n"},
	} {
		if diff := cmp.Diff(row.want, shownOf(row.parts...)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestNamesOfStepsAreHarmless(t *testing.T) {
	now := time.Now()
	hostile := "a\x1b[31m\r\n::x\u202e" + strings.Repeat("x", 1<<20)
	d := digest.FromString("step")
	got := newShown(Limits{}, new(atomic.Int64)).status(&client.SolveStatus{
		Vertexes: []*client.Vertex{{Digest: d, Name: hostile, Error: hostile, Started: &now}},
		Statuses: []*client.VertexStatus{{Vertex: d, ID: hostile, Name: hostile}},
		Warnings: []*client.VertexWarning{{Vertex: d, Short: []byte(hostile), Detail: [][]byte{[]byte(hostile)}, URL: hostile}},
	})
	v, s, w := got.Vertexes[0], got.Statuses[0], got.Warnings[0]
	for what, text := range map[string]string{"name": v.Name, "id": s.ID, "status": s.Name, "warning": string(w.Short), "detail": string(w.Detail[0]), "url": w.URL, "error": v.Error} {
		if strings.ContainsAny(text, "\x1b\r\u202e") || len(text) > 100<<10 || what != "error" && strings.Contains(text, "\n") {
			t.Errorf("%s: %d bytes, %.40q", what, len(text), text)
		}
	}
}

// endless is what a node sends that does not stop: a step's output, in parts of 32 kB.
func endless(s *shown, total int64) (shown int64, said string) {
	part := []byte(strings.Repeat(strings.Repeat("x", 127)+"\n", 256))
	step := digest.FromString("step")
	var told strings.Builder
	hear := func(status *client.SolveStatus) {
		for _, l := range s.status(status).Logs {
			shown += int64(len(l.Data))
			if text := string(l.Data); strings.Contains(text, "[archbuild]") {
				told.WriteString(strings.TrimLeft(text, "x\n"))
			}
		}
	}
	for sent := int64(0); sent < total; sent += int64(len(part)) {
		hear(&client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step, Stream: 1, Data: part}}})
	}
	now := time.Now()
	hear(&client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Completed: &now}}})
	return shown, told.String()
}

func TestOutputIsBounded(t *testing.T) {
	const sent = 2500 * (32 << 10)
	for name, row := range map[string]struct {
		limits  Limits
		elapsed time.Duration
		want    int64
	}{
		"all at once":                        {Limits{}, 0, 1 << 20},
		"after four seconds":                 {Limits{}, 4 * time.Second, 3 << 20},
		"after an hour":                      {Limits{}, time.Hour, 4 << 20},
		"as BuildKit's variable says":        {Limits{Step: 2 << 20}, time.Hour, 2 << 20},
		"any rate":                           {Limits{Rate: -1}, 0, 4 << 20},
		"any size of a step":                 {Limits{Step: -1}, time.Hour, 64 << 20},
		"any size of a step and of all":      {LimitsFrom(func(string) string { return "-1" }), 0, sent},
		"a run whose bytes are used up":      {Limits{Run: 5}, time.Hour, 5},
		"a variable that is no number":       {LimitsFrom(func(string) string { return "lots" }), time.Hour, 4 << 20},
		"a variable that is more than a run": {LimitsFrom(func(string) string { return "80000000" }), time.Hour, 80_000_000},
	} {
		s := newShown(row.limits, new(atomic.Int64))
		began := time.Unix(1, 0)
		first := true
		s.now = func() time.Time {
			if first {
				first = false
				return began
			}
			return began.Add(row.elapsed)
		}
		shown, said := endless(s, sent)
		if shown < row.want || shown > row.want+200 {
			t.Errorf("%s: %d bytes are shown, want %d", name, shown, row.want)
		}
		if left := row.want < sent; left != strings.Contains(said, "of output left out") || left != strings.Contains(said, "more output of this step is left out") {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

// TestANodeThatSendsWithoutEndTakesNoMemory: a display is told of steps, of changes, of layers, of warnings and of output
// without end.
func TestANodeThatSendsWithoutEndTakesNoMemory(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	display, err := NewDisplay(struct{ io.Writer }{null}, "plain", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w := display.job("linux/arm64", platform.Platform{OS: "linux", Arch: "arm64"})
	one := digest.FromString("one")
	start := time.Unix(1, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	long := strings.Repeat("n", 10<<10)
	for i := range 5_000 {
		at := start.Add(time.Duration(i) * time.Second)
		name := fmt.Sprint(i, long)
		w.channel() <- &client.SolveStatus{
			Vertexes: []*client.Vertex{{Digest: digest.FromString(name), Name: "[1/2] " + name, Started: &at}, {Digest: one, Name: name, Started: &at, Completed: &at}},
			Statuses: []*client.VertexStatus{{Vertex: one, ID: name, Timestamp: at}},
			Warnings: []*client.VertexWarning{{Vertex: one, Short: []byte(name), Detail: [][]byte{[]byte(name)}}},
			Logs:     []*client.VertexLog{{Vertex: one, Stream: 2, Data: []byte(name + "\n"), Timestamp: at}, {Vertex: digest.FromString(name), Data: []byte(name), Timestamp: at}},
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	close(w.channel())
	w.wait()
	display.Close()
	const most = 100 << 20
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > most {
		t.Errorf("it holds %d MB after %d MB were sent", grown>>20, 5_000*70>>10)
	} else {
		t.Logf("it holds %d MB", grown>>20)
	}
}

func TestTheLastLinesAreKnownAlsoWhereTheyAreNotShown(t *testing.T) {
	w := &watcher{steps: map[digest.Digest]step{}, tail: map[digest.Digest][]byte{}, shown: newShown(Limits{Run: 10}, new(atomic.Int64))}
	failed := digest.FromString("failed")
	for _, part := range []string{"many lines\n", "more\n", " 10%\r 20%\r\x1b[31m 30%\n", "the last\n"} {
		logs := []*client.VertexLog{{Vertex: failed, Data: []byte(part)}}
		w.shown.status(&client.SolveStatus{Logs: logs})
		w.remember(logs)
	}
	w.note(&client.SolveStatus{Vertexes: []*client.Vertex{{Digest: failed, Name: "[2/2] RUN", Error: "exit code: 1"}}})
	if diff := cmp.Diff([]string{"more", " 10%", " 30%", "the last"}, w.lastLines(4)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What making a log harmless costs beside printing it: bytes a second that a plain display takes.
func BenchmarkDisplay(b *testing.B) {
	line := "Get:17 http://mirror.example/debian bookworm/main amd64 libc6-dev amd64 2.36-9 [1,904 kB]\n"
	data := []byte(strings.Repeat(line, 40))
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	step := digest.FromString("step")
	status := &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: step, Stream: 1, Data: data}}}
	now := time.Now()
	begin := &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: step, Name: "[1/2] RUN apt-get", Started: &now}}}
	all := Limits{Step: -1, Rate: -1, Run: -1}
	for name, cleaned := range map[string]bool{"cleaned": true, "as it comes": false} {
		b.Run(name, func(b *testing.B) {
			display, err := NewDisplay(null, "plain", all)
			if err != nil {
				b.Fatal(err)
			}
			s := newShown(all, new(atomic.Int64))
			display.show(begin)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if one := status; cleaned {
					display.show(s.status(one))
				} else {
					display.show(one)
				}
			}
			display.Close()
		})
	}
}
