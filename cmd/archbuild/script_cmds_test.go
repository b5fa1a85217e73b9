package main

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// command is a command of the scripts; it fails with an error.
type command func(ts *testscript.TestScript, args []string) error

// commands are those that scripts have beside testscript's own:
//
//	exits STATUS PROGRAM ARG…            runs a program that must end with this exit status
//	fails STATUS ARG…                    archbuild ends with this status after one error with one hint and leaves nothing behind
//	image-cat LAYOUT PLATFORM FILE       prints a file of an image in an OCI layout
//	image-machine LAYOUT PLATFORM FILE MACHINE   a program in an image is for this machine (as debug/elf names it)
//	image-run LAYOUT PLATFORM            prints what the image prints when it is started
//	machine FILE MACHINE                 so is a program on disk
//	await ARG…                           waits until a process with exactly these arguments runs
//	gone ARG…                            no such process runs, or it ends within a minute
//	end ARG…                             ends the processes with exactly these arguments
//	stopwatch start|TIME                 fails when more than TIME has passed since start; see stopwatch
//	tmpfs FOLDER SIZE                    mounts a small disk for the rest of the script
//	empty FOLDER                         there is nothing in the folder, or it does not exist
//	no-emulator VARIABLE                 names a platform that this machine cannot run
//	is-digest FILE                       a file (or stdout) holds a digest and nothing else
//	config-digest LAYOUT PLATFORM        prints the digest of an image's config
//	docker-engine classic|newer-classic|containerd  starts a Docker engine with this store for the rest of the script; DOCKER_HOST is its address
//	docker ARG…                          runs the docker command
//	cached ARG… [-- ARG…]                archbuild ARG… in an emptied engine, which finds all steps in a cache; see cached
//	counts N FILE TEXT                   text occurs N times in a file (or stdout, stderr)
//	serve-git FOLDER                     serves repositories and files; see serveGit
//	serve-files FOLDER                   serves files by HTTP; $WEB is its address
//
// and go-cache, unsafe, kept and moved, which TestHarm explains.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	byName := map[string]func(*testscript.TestScript, bool, []string){}
	for name, run := range map[string]command{
		"exits": exits, "fails": fails, "image-cat": imageCat, "image-machine": imageMachine, "image-run": imageRun, "machine": fileMachine,
		"await": await, "gone": gone, "end": end, "stopwatch": stopwatch, "tmpfs": tmpfs, "empty": empty,
		"no-emulator": noEmulator, "is-digest": isDigest, "cached": cached, "counts": counts, "serve-git": serveGit, "serve-files": serveFiles,
		"config-digest": configDigest, "docker-engine": dockerEngine, "docker": dockerCommand,
		"unsafe": unsafeStages, "kept": keptSays, "moved": movedSays, "go-cache": goCache,
	} {
		byName[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("! %s has no meaning", name)
			}
			if err := run(ts, args); err != nil {
				ts.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
			}
		}
	}
	return byName
}

// errUsage is a mistake in the script.
var errUsage = errors.New("wrong arguments; see the comment of commands")

func exits(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("exit status %d", got)
	}
	return nil
}

// cached runs a build eight times at most: where it has a step before by itself, or two solves ask at the same time, BuildKit now
// and then looks for a RUN before the cache has been read, and runs it (moby/buildkit#4674). The arguments behind -- write the
// cache: they are run before each further try, for now and then BuildKit leaves a result out of it (moby/buildkit#3009).
func cached(ts *testscript.TestScript, args []string) error {
	prune, write := []string{"engine", "prune", "--all"}, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		args, write = args[:i], args[i+1:]
	}
	runs := [][]string{prune, args}
	for range 8 {
		for _, run := range runs {
			if err := ts.Exec("archbuild", run...); err != nil {
				return err
			}
		}
		if allCached.MatchString(ts.ReadFile("stderr")) {
			return nil
		}
		if write != nil {
			runs = [][]string{prune, write, prune, args}
		}
	}
	return errors.New("not all steps came from the cache, in none of eight builds")
}

var allCached = regexp.MustCompile(`(?m)^cache: .*\(100 %\)`)

func fails(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	before := outputs(ts)
	if err := exits(ts, append([]string{args[0], "archbuild"}, args[1:]...)); err != nil {
		return err
	}
	said := "\n" + ts.ReadFile("stderr")
	for _, start := range []string{"error", "hint"} {
		if n := strings.Count(said, "\narchbuild: "+start+": "); n != 1 {
			return fmt.Errorf("it prints %d lines of %s", n, start)
		}
	}
	if after := outputs(ts); !slices.Equal(before, after) {
		return fmt.Errorf("archbuild-out had %q and has %q", before, after)
	}
	return empty(ts, []string{ts.Getenv("TMPDIR")})
}

// outputs are the names in ./archbuild-out.
func outputs(ts *testscript.TestScript) []string {
	paths, _ := filepath.Glob(ts.MkAbs("archbuild-out") + "/*")
	return paths
}

func imageCat(ts *testscript.TestScript, args []string) error {
	if len(args) != 3 {
		return errUsage
	}
	return fixtures.Cat(ts.Stdout(), ts.MkAbs(args[0]), args[1], args[2])
}

func imageRun(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	out, err := fixtures.RunImage(context.Background(), ts.MkAbs(args[0]), args[1])
	if err != nil {
		return err
	}
	_, err = ts.Stdout().Write(out)
	return err
}

func imageMachine(ts *testscript.TestScript, args []string) error {
	if len(args) != 4 {
		return errUsage
	}
	var content bytes.Buffer
	if err := fixtures.Cat(&content, ts.MkAbs(args[0]), args[1], args[2]); err != nil {
		return err
	}
	return isFor(content.Bytes(), args[3])
}

func fileMachine(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	return isFor([]byte(ts.ReadFile(args[0])), args[1])
}

func isFor(program []byte, machine string) error {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	if got := file.Machine.String(); got != machine {
		return fmt.Errorf("the program is for %s", got)
	}
	return nil
}

// running are the processes with exactly these arguments.
func running(args []string) (pids []int) {
	want := []byte(strings.Join(args, "\x00") + "\x00")
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		// Emulated programs have the emulator before their own arguments.
		if got, err := os.ReadFile(file); err == nil && bytes.HasSuffix(got, want) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func await(_ *testscript.TestScript, args []string) error {
	for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(20 * time.Millisecond) {
		if len(running(args)) > 0 {
			return nil
		}
	}
	return errors.New("no such process within three minutes")
}

func gone(_ *testscript.TestScript, args []string) error {
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
		if len(running(args)) == 0 {
			return nil
		}
	}
	return errors.New("the process is still there")
}

func end(_ *testscript.TestScript, args []string) error {
	pids := running(args)
	if len(pids) == 0 {
		return errors.New("no such process")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// stopwatch has times of a machine that does nothing else. Other tests run beside, so they are longer by what work takes longer
// at the start or at the end.
func stopwatch(ts *testscript.TestScript, args []string) error {
	const began, slowdown = "STOPWATCH", "STOPWATCH_SLOWDOWN"
	now := time.Now()
	slower, err := fixtures.Slowdown()
	switch {
	case err != nil:
		return err
	case len(args) != 1:
		return errUsage
	case args[0] == "start":
		ts.Setenv(slowdown, strconv.FormatFloat(slower, 'f', 2, 64))
		ts.Setenv(began, time.Now().Format(time.RFC3339Nano))
		return nil
	}
	limit, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	start, err := time.Parse(time.RFC3339Nano, ts.Getenv(began))
	if err != nil {
		return err
	}
	took := now.Sub(start)
	before, err := strconv.ParseFloat(ts.Getenv(slowdown), 64)
	if err != nil {
		return err
	}
	slower = max(slower, before)
	ts.Logf("%s, on a machine that is %.1f times slower than when it is idle", took, slower)
	if took > time.Duration(slower*float64(limit)) {
		return fmt.Errorf("it took %s", took)
	}
	return nil
}

func tmpfs(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	folder := ts.MkAbs(args[0])
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := fixtures.Mount("tmpfs", folder, "tmpfs", "mode=0755,size="+args[1]); err != nil {
		return err
	}
	ts.Defer(func() { ts.Check(syscall.Unmount(folder, 0)) })
	return nil
}

func empty(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is in it", entries[0].Name())
	}
	return err
}

// noEmulator picks a platform that neither the machine nor an emulator runs. Should a machine
// run all of them, the test must be given another one to ask for.
func noEmulator(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	for _, try := range []struct{ platform, qemu string }{
		{"linux/s390x", "s390x"}, {"linux/riscv64", "riscv64"}, {"linux/ppc64le", "ppc64le"}, {"linux/loong64", "loongarch64"}, {"linux/mips64le", "mips64el"},
	} {
		registered, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*-" + try.qemu)
		if len(registered) == 0 {
			ts.Setenv(args[0], try.platform)
			return nil
		}
	}
	return errors.New("this machine has an emulator for everything")
}

func isDigest(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	text := strings.TrimSuffix(ts.ReadFile(args[0]), "\n")
	hex, ok := strings.CutPrefix(text, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return fmt.Errorf("it holds %q", text)
	}
	return nil
}

func counts(ts *testscript.TestScript, args []string) error {
	if len(args) != 3 {
		return errUsage
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if got := strings.Count(ts.ReadFile(args[1]), args[2]); got != want {
		return fmt.Errorf("it occurs %d times", got)
	}
	return nil
}
