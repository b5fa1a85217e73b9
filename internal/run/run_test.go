package run_test

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/run"
)

func sh(script string) run.Options {
	return run.Options{Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestAResultHoldsBothStreams(t *testing.T) {
	got, err := run.Command(context.Background(), sh("cat; echo warned >&2"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Stdout) != "" || string(got.Stderr) != "warned\n" {
		t.Errorf("stdout %q, stderr %q", got.Stdout, got.Stderr)
	}
	o := sh("cat")
	o.Stdin = strings.NewReader("in")
	if got, err = run.Command(context.Background(), o); err != nil || string(got.Stdout) != "in" {
		t.Errorf("stdin was not passed: %q, %v", got.Stdout, err)
	}
}

func TestAFailureIsTypedAndShowsTheEndOfStderr(t *testing.T) {
	_, err := run.Command(context.Background(), sh("echo first >&2; echo last words >&2; exit 7"))
	var failed *run.Error
	if !errors.As(err, &failed) {
		t.Fatalf("not a *run.Error: %v", err)
	}
	if failed.ExitCode != 7 || failed.Stderr != "first\nlast words\n" {
		t.Errorf("exit code %d, stderr %q", failed.ExitCode, failed.Stderr)
	}
	if want := "running sh: exit status 7: last words"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestOnlyTheEndOfALongStderrIsKept(t *testing.T) {
	_, err := run.Command(context.Background(), sh("yes noise | head -c 100000 >&2; echo end >&2; exit 1"))
	var failed *run.Error
	if !errors.As(err, &failed) || len(failed.Stderr) > 4096 || !strings.HasSuffix(failed.Stderr, "end\n") {
		t.Errorf("kept %d bytes: %v", len(failed.Stderr), err)
	}
}

func TestAProgramThatDoesNotExistIsTold(t *testing.T) {
	_, err := run.Command(context.Background(), run.Options{Path: "no-such-program-here"})
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTheEnvironmentIsTheGivenOneAlone(t *testing.T) {
	t.Setenv("A_SECRET", "hunter2")
	got, err := run.Command(context.Background(), sh("env"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(got.Stdout), "hunter2") {
		t.Errorf("the caller's environment leaked:\n%s", got.Stdout)
	}
	o := sh("echo $GIVEN")
	o.Env = []string{"GIVEN=yes"}
	if got, err = run.Command(context.Background(), o); err != nil || string(got.Stdout) != "yes\n" {
		t.Errorf("got %q, %v", got.Stdout, err)
	}
}

func TestTooMuchOutputEndsTheProcess(t *testing.T) {
	o := sh("yes")
	o.MaxOutput = 1000
	start := time.Now()
	_, err := run.Command(context.Background(), o)
	if !errors.Is(err, run.ErrOutput) {
		t.Errorf("got %v", err)
	}
	if time.Since(start) > 10*time.Second {
		t.Errorf("it took %v", time.Since(start))
	}
	o = sh("printf 12345")
	o.MaxOutput = 5
	if got, err := run.Command(context.Background(), o); err != nil || string(got.Stdout) != "12345" {
		t.Errorf("output of exactly the limit: %q, %v", got.Stdout, err)
	}
}

func TestTimeEndsTheWholeGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout time.Duration
		want    error
	}{
		"timeout":   {timeout: 100 * time.Millisecond, want: context.DeadlineExceeded},
		"cancelled": {want: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			pidFile := t.TempDir() + "/pid"
			o := sh("sleep 60 & echo $! > " + pidFile + "; wait")
			o.Timeout = tc.timeout
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if tc.timeout == 0 {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			_, err := run.Command(ctx, o)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			gone(t, pidFile)
		})
	}
}

func TestAGrandchildThatHoldsThePipeIsEnded(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	_, err := run.Command(context.Background(), sh("sleep 60 & echo $! > "+pidFile))
	if !errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("got %v", err)
	}
	gone(t, pidFile)
}

// gone fails the test if the process named in the file still runs.
func gone(t *testing.T, pidFile string) {
	t.Helper()
	got, err := run.Command(context.Background(), run.Options{Path: "cat", Args: []string{pidFile}})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(got.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if !running(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

// running does not count a zombie that nobody has reaped yet.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	got, err := run.Command(context.Background(), run.Options{Path: "cat", Args: []string{"/proc/" + strconv.Itoa(pid) + "/stat"}})
	return err == nil && !strings.Contains(string(got.Stdout), ") Z ")
}
