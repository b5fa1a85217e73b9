package archbuild_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/template"
)

// sameCommands runs the RUNs of two Dockerfiles in a shell that starts nothing and notes
// what it would start, for the platform that the first was written for: amd64 or arm64,
// whichever makes them the same.
func sameCommands(t *testing.T, before, after *template.Template) {
	t.Helper()
	var diffs []string
	for _, arch := range []string{"amd64", "arm64"} {
		diff := cmp.Diff(commandsOf(t, before, arch), commandsOf(t, after, arch))
		if diff == "" {
			return
		}
		diffs = append(diffs, arch+":\n"+diff)
	}
	t.Errorf("other commands:\n%s", strings.Join(diffs, "\n"))
}

// commandsOf are the commands of each RUN that a shell reads.
func commandsOf(t *testing.T, of *template.Template, arch string) [][]string {
	t.Helper()
	var list [][]string
	for stage := range of.Stages {
		for _, step := range of.Steps(stage) {
			if _, ok := step.Command.(*instructions.RunCommand); !ok {
				continue
			}
			script, ok := of.Script(step)
			if !ok || script.JSON {
				continue
			}
			list = append(list, noted(t, script.Text, arch))
		}
	}
	return list
}

// noted runs a script and gives what it would have run, with what each command was given to read.
func noted(t *testing.T, script, arch string) []string {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return []string{script}
	}
	var list []string
	runner, err := interp.New(
		interp.Env(expand.ListEnviron("TARGETARCH="+arch, "BUILDARCH="+arch, "TARGETPLATFORM=linux/"+arch, "MISSING=MISSING")),
		interp.StdIO(strings.NewReader(""), io.Discard, io.Discard),
		interp.CallHandler(func(_ context.Context, args []string) ([]string, error) {
			if slices.Contains([]string{"cd", "source", ".", "exec", "eval", "read", "wait", "trap", "hash", "command", "type"}, args[0]) {
				return append([]string{"builtin-" + args[0]}, args[1:]...), nil
			}
			return args, nil
		}),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
			return func(ctx context.Context, args []string) error {
				given, _ := io.ReadAll(interp.HandlerCtx(ctx).Stdin)
				if args[0] == "uname" || args[0] == "dpkg" || args[0] == "arch" { // what a case answers in place of it
					io.WriteString(interp.HandlerCtx(ctx).Stdout, map[string]string{"amd64uname": "x86_64", "arm64uname": "aarch64", "amd64dpkg": "amd64", "arm64dpkg": "arm64", "amd64arch": "x86_64", "arm64arch": "aarch64"}[arch+args[0]]+"\n")
					return nil
				}
				list = append(list, strings.Join(args, " ")+"\n"+string(given))
				return nil
			}
		}),
		interp.OpenHandler(func(_ context.Context, path string, _ int, _ os.FileMode) (io.ReadWriteCloser, error) {
			list = append(list, "> "+path)
			return nothing{}, nil
		}),
		interp.StatHandler(func(_ context.Context, name string, _ bool) (fs.FileInfo, error) {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		}),
		interp.ReadDirHandler2(func(context.Context, string) ([]fs.DirEntry, error) { return nil, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_ = runner.Run(ctx, file) // a script may fail; both do then
	slices.Sort(list)         // those of a pipeline run at once
	return list
}

// nothing is a file that swallows what is written.
type nothing struct{ bytes.Buffer }

func (nothing) Read([]byte) (int, error)    { return 0, io.EOF }
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }
