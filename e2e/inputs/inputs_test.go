// Package inputs gives the whole program bad inputs, each with a name, and looks at what it does of each:
// it ends with the status that is due, tells one cause and one hint, takes at most a second of processor time
// and 64 MiB of memory, does not panic, and touches nothing.
//
// The rows stand in tables, a file for each kind. What a row leaves out its table fills in.
package inputs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// atLeast is how many inputs there are.
	atLeast = 500
	// maxCPU is what an input may cost: of processors, so that another test beside this one does not count.
	maxCPU = time.Second
	// maxMemory is the most that may be resident at once, in bytes, where the program alone has usualMemory.
	maxMemory   = 64 << 20
	usualMemory = 40 << 20
	// endless is when the program is ended.
	endless = 30 * time.Second
)

// row is one bad input.
type row struct {
	// bad says what is wrong; it is the row's name.
	bad string
	// args are the command line, and env are variables beside the usual ones.
	args, env []string
	// in makes the files.
	in []maker
	// stdin is what standard input holds.
	stdin string
	// code is the exit status that is due, and says a part of the error.
	code int
	says string
	// unprivileged: without root's right to read every file.
	unprivileged bool
}

// kind is the rows of one table.
type kind struct {
	name string
	rows []row
}

func kinds() []kind {
	return []kind{
		{"dockerfile", dockerfiles()},
		{"ignore file", ignoreFiles()},
		{"archbuild.yaml", yamls()},
		{"configuration", configs()},
		{"ELF", elfs()},
		{"OCI layout", layouts()},
		{"tar", tars()},
		{"record", records()},
		{"address", addresses()},
		{"spec", specs()},
		{"command line", flags()},
		{"project", projects()},
	}
}

// tools are the programs of the tests.
type tools struct {
	// program is archbuild, and measure is what runs it.
	program, measure string
	// memory is the most that an input may take, in bytes.
	memory int64
}

func build(t *testing.T) tools {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.Command("go", "build", "-o", folder+"/", "github.com/archbuild/archbuild/cmd/archbuild", "github.com/archbuild/archbuild/e2e/inputs/measure")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	of := tools{program: filepath.Join(folder, "archbuild"), measure: filepath.Join(folder, "measure")}
	// Half of what is resident is the program itself, in the pages of its file, and how many of those come with one that is touched
	// is for the kernel to say: a machine where the program alone has more is no reason for an input to have less.
	alone := try(t, of, row{bad: "none", args: words("--version")}).memory
	of.memory = maxMemory + max(0, alone-usualMemory)
	t.Logf("the program alone takes %d MiB; with an input it may take %d", alone>>20, of.memory>>20)
	return of
}

// TestInputs gives the program every input of the tables.
func TestInputs(t *testing.T) {
	with := build(t)
	seen := &ledger{rows: map[string]string{}, inputs: map[string]string{}}
	began := time.Now()
	for _, kind := range kinds() {
		t.Run(kind.name, func(t *testing.T) {
			t.Cleanup(func() { seen.count(kind) })
			for _, r := range kind.rows {
				t.Run(r.bad, func(t *testing.T) {
					t.Parallel()
					seen.add(t, with, r, least(t, with, r))
				})
			}
		})
	}
	t.Logf("%d inputs in %s: %s", len(seen.inputs), time.Since(began).Round(time.Second/10), strings.Join(seen.kinds, ", "))
	t.Logf("%d different causes; the slowest: %v for %s; the hungriest: %d MiB for %s", len(seen.causes), seen.slowest.cpu, seen.slowest.of, seen.hungriest.memory>>20, seen.hungriest.of)
}

// TestTables counts the rows.
func TestTables(t *testing.T) {
	count := 0
	for _, kind := range kinds() {
		count += len(kind.rows)
	}
	if count < atLeast {
		t.Errorf("there are %d rows, and %d were promised", count, atLeast)
	}
}

// outcome is what came of one input.
type outcome struct {
	of             string
	code           int
	stdout, stderr string
	cpu            time.Duration
	memory         int64
	// input is the same for rows that are the same but for their names.
	input string
}

// least tries an input again where it took more than it may: a collector that gets no processor frees later. What an input needs
// shows in the least of three.
func least(t *testing.T, with tools, r row) outcome {
	t.Helper()
	o := try(t, with, r)
	for again := 0; again < 2 && (o.memory > with.memory || o.cpu > maxCPU); again++ {
		next := try(t, with, r)
		o.memory, o.cpu = min(o.memory, next.memory), min(o.cpu, next.cpu)
	}
	return o
}

// try runs the program on an input, and looks at everything but what it says.
func try(t *testing.T, with tools, r row) outcome {
	t.Helper()
	w := newWorld(t)
	for _, make := range r.in {
		if err := make(w.in); err != nil {
			t.Fatalf("making the input: %v", err)
		}
	}
	before, input := w.look(t)
	ctx, cancel := context.WithTimeout(t.Context(), endless)
	defer cancel()
	words := append([]string{with.program}, r.args...)
	if r.unprivileged {
		words = append(unprivileged(t), words...)
	}
	took := filepath.Join(t.TempDir(), "took")
	words = append([]string{with.measure, took}, words...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = w.in, append(w.environ(), r.env...), time.Second
	cmd.Stdin = strings.NewReader(r.stdin)
	stdout, stderr := capped{most: 4 << 20}, capped{most: 1 << 20}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) || ctx.Err() != nil {
		t.Fatalf("running it: %v\n%s", errors.Join(err, ctx.Err()), stderr.String())
	}
	after, _ := w.look(t)
	if changed := difference(before, after); changed != "" {
		t.Errorf("something was touched:\n%s", changed)
	}
	w.residue(t)
	o := outcome{
		of: r.bad, code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), input: input + fmt.Sprintf("%q %q %q", r.args, r.env, r.stdin),
	}
	measured, err := os.ReadFile(took)
	if err == nil {
		_, err = fmt.Sscan(string(measured), (*int64)(&o.cpu), &o.memory)
	}
	if err != nil {
		t.Fatalf("what it took: %v\n%s", err, stderr.String())
	}
	return o
}

var (
	errorLine = regexp.MustCompile(`(?m)^archbuild: error: (.*)`)
	hintLine  = regexp.MustCompile(`(?m)^archbuild: hint: .`)
	panicText = regexp.MustCompile(`(?m)^panic: |^goroutine \d|runtime error|\bSIGSEGV\b|^fatal error: `)
	rawText   = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]")
)

// check holds an outcome against its row.
func (o outcome) check(t *testing.T, with tools, r row) {
	t.Helper()
	said := o.stdout + o.stderr
	if os.Getenv("ARCHBUILD_INPUTS_SHOW") != "" {
		fmt.Printf("SHOW\t%s\t%d\t%q\n", r.bad, o.code, o.stderr)
	}
	if o.code != r.code {
		t.Errorf("exit status %d, and not %d", o.code, r.code)
	}
	if errs, hints := errorLine.FindAllString(o.stderr, -1), hintLine.FindAllString(o.stderr, -1); len(errs) != 1 || len(hints) != 1 {
		t.Errorf("%d errors and %d hints, and not one of each", len(errs), len(hints))
	}
	if !strings.Contains(o.stderr, r.says) || r.says == "" {
		t.Errorf("it does not say %q", r.says)
	}
	if found := panicText.FindString(said); found != "" {
		t.Errorf("it panics: %s", found)
	}
	if found := rawText.FindString(said); found != "" {
		t.Errorf("the character %q is not cleaned away", found)
	}
	if o.cpu > maxCPU {
		t.Errorf("it takes %v, and not at most %v", o.cpu, maxCPU)
	}
	if o.memory > with.memory {
		t.Errorf("it takes %d MiB, and not at most %d", o.memory>>20, with.memory>>20)
	}
	if t.Failed() {
		t.Logf("archbuild %.300q ended with %d\nstdout: %.2000s\nstderr: %.2000s", r.args, o.code, o.stdout, o.stderr)
	}
}

// ledger remembers what was seen.
type ledger struct {
	sync.Mutex
	rows, inputs       map[string]string
	causes             []string
	kinds              []string
	slowest, hungriest outcome
}

// add checks an outcome, and that neither its name nor its input is another row's.
func (l *ledger) add(t *testing.T, with tools, r row, o outcome) {
	t.Helper()
	o.check(t, with, r)
	l.Lock()
	defer l.Unlock()
	if other, twice := l.inputs[o.input]; twice {
		t.Errorf("the same input is called %q as well", other)
	}
	if _, twice := l.rows[r.bad]; twice {
		t.Error("another input has the same name")
	}
	l.inputs[o.input], l.rows[r.bad] = r.bad, o.input
	if o.cpu > l.slowest.cpu {
		l.slowest = o
	}
	if o.memory > l.hungriest.memory {
		l.hungriest = o
	}
}

func (l *ledger) count(k kind) {
	l.kinds = append(l.kinds, fmt.Sprintf("%d %s", len(k.rows), k.name))
	causes := map[string]bool{}
	for _, r := range k.rows {
		causes[r.says] = true
	}
	for cause := range causes {
		l.causes = append(l.causes, cause)
	}
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	if room := c.most - c.Len(); room > 0 {
		_, _ = c.Buffer.Write(p[:min(room, len(p))]) // a buffer takes all
	}
	return len(p), nil
}

var _ io.Writer = (*capped)(nil)
