package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild/outside"
)

// verbs calls do with every verb that --help shows.
func verbs(do func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		do(c)
		for _, verb := range c.Commands() {
			walk(verb)
		}
	}
	walk(newRoot(outside.System{Stdout: io.Discard, Stderr: io.Discard}))
}

func TestEveryVerbShowsAnExample(t *testing.T) {
	n := 0
	verbs(func(c *cobra.Command) {
		n++
		if !strings.Contains(c.Example, "  "+c.Root().Name()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("the example of %s is not indented: %q", c.CommandPath(), line)
			}
		}
	})
	if n < 20 {
		t.Errorf("only %d verbs are shown", n)
	}
}

func TestAMistypedVerbNamesTheNearestOne(t *testing.T) {
	verbs(func(c *cobra.Command) {
		if !c.HasParent() {
			return
		}
		words := strings.Fields(c.CommandPath())[1:]
		words[len(words)-1] += "x"
		var stderr bytes.Buffer
		if code := run(t.Context(), words, strings.NewReader(""), io.Discard, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "did you mean "+c.Name()+"?") {
			t.Errorf("%q: exit status %d\n%s", words, code, &stderr)
		}
	})
}

// Whoever adds a flag need not think of completion, but its help has to be of
// the kind from which completion learns.
func TestEveryFlagOfAFewWordsIsCompleted(t *testing.T) {
	verbs(func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			value, _ := pflag.UnquoteUsage(f)
			if value != "MODE" && value != "PROFILE" && value != "TYPE" {
				return
			}
			complete, ok := c.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Fatalf("%s --%s is not completed", c.CommandPath(), f.Name)
			}
			if list, _ := complete(c, nil, ""); len(list) < 2 {
				t.Errorf("%s --%s is completed to %q; its help should list the words after the name of the value", c.CommandPath(), f.Name, list)
			}
		})
	})
}

// complete is what a shell asks for.
func complete(t *testing.T, words ...string) (list []string, directive string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), append([]string{cobra.ShellCompNoDescRequestCmd}, words...), strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("%q: exit status %d\n%s", words, code, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app/Dockerfile":      "FROM scratch AS base\nFROM base AS final\n",
		"app/Dockerfile.dev":  "FROM scratch AS debug\n",
		"broken/Dockerfile":   "FROM\n",
		"app/other/Makefile":  "",
		"named/Containerfile": "FROM scratch AS x\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "app/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	const noFiles, files, folders, noSpace = ":4", ":0", ":16", ":6"
	for name, tt := range map[string]struct {
		line      []string
		has       []string
		hasNot    []string
		directive string
	}{
		"a verb":                         {[]string{"en"}, []string{"engine"}, []string{"build"}, noFiles},
		"every verb":                     {[]string{""}, []string{"build", "engine", "completion", "verify"}, []string{"docs"}, noFiles},
		"a verb of a verb":               {[]string{"engine", ""}, []string{"logs", "prune", "df", "status", "stop"}, []string{"build"}, noFiles},
		"a verb to be helped with":       {[]string{"help", "engine", "p"}, []string{"prune"}, []string{"stop"}, noFiles},
		"a folder or a project's file":   {[]string{"build", ""}, nil, []string{"app"}, files},
		"one without a verb":             {[]string{"./a"}, nil, nil, files},
		"one more":                       {[]string{"app", ""}, nil, []string{"build"}, files},
		"a folder":                       {[]string{"rewrite", ""}, nil, []string{"app"}, folders},
		"a flag":                         {[]string{"app", "--pl"}, []string{"--platform"}, nil, noFiles},
		"a flag of a verb":               {[]string{"engine", "prune", "--max"}, []string{"--max-used-space"}, nil, noFiles},
		"a hidden flag":                  {[]string{"engine", "prune", "--keep"}, []string{"--keep-duration"}, []string{"--keep-storage"}, noFiles},
		"a platform":                     {[]string{"app", "--platform", "linux/arm"}, []string{"linux/arm64", "linux/arm/v7"}, []string{"linux/amd64"}, noSpace},
		"a platform after another":       {[]string{"app", "--platform", "linux/amd64,linux/a"}, []string{"linux/amd64,linux/arm64"}, []string{"linux/amd64,linux/amd64"}, noSpace},
		"a platform after =":             {[]string{"app", "--platform=linux/s"}, []string{"linux/s390x"}, nil, noSpace},
		"a stage":                        {[]string{"app", "--target", ""}, []string{"base", "final"}, []string{"debug"}, noFiles},
		"a stage of a file":              {[]string{"app", "-f", "app/Dockerfile.dev", "--target", ""}, []string{"debug"}, []string{"base"}, noFiles},
		"a stage of another verb":        {[]string{"plan", "app", "--target", "f"}, []string{"final"}, []string{"base"}, noFiles},
		"a stage of a broken file":       {[]string{"broken", "--target", ""}, nil, nil, noFiles},
		"a stage of nothing":             {[]string{"nowhere", "--target", ""}, nil, nil, noFiles},
		"a stage of a pipe":              {[]string{"app", "-f", "app/pipe", "--target", ""}, nil, nil, noFiles},
		"a way to show progress":         {[]string{"app", "--progress", "p"}, []string{"plain"}, []string{"auto"}, noFiles},
		"a way to cross":                 {[]string{"app", "--cross=", ""}, nil, nil, files},
		"a way to cross after =":         {[]string{"app", "--cross="}, []string{"auto", "off", "require"}, nil, noFiles},
		"a way of provenance":            {[]string{"app", "--provenance", "mode="}, []string{"mode=min", "mode=max"}, []string{"true"}, noFiles},
		"a type of output":               {[]string{"app", "-o", "type="}, []string{"type=oci", "type=local"}, nil, ":2"},
		"a file":                         {[]string{"app", "--file", ""}, nil, nil, ":0"},
		"a folder of a flag":             {[]string{"app", "--state", ""}, nil, nil, folders},
		"a shell":                        {[]string{"completion", ""}, []string{"bash", "fish", "zsh"}, nil, noFiles},
		"nothing after all is said":      {[]string{"engine", "stop", ""}, nil, nil, noFiles},
		"nothing for words of one's own": {[]string{"app", "--label", ""}, nil, nil, noFiles},
	} {
		t.Run(name, func(t *testing.T) {
			list, directive := complete(t, tt.line...)
			if directive != tt.directive {
				t.Errorf("the directive is %s, want %s (%q)", directive, tt.directive, list)
			}
			for _, want := range tt.has {
				if !slices.Contains(list, want) {
					t.Errorf("%q is not among %q", want, list)
				}
			}
			for _, not := range tt.hasNot {
				if slices.Contains(list, not) {
					t.Errorf("%q is among %q", not, list)
				}
			}
			if tt.has == nil && len(list) > 0 {
				t.Errorf("it offers %q", list)
			}
		})
	}
}

// A key press is answered at once, and nothing is started for it. Processor time
// is measured, which a busy machine stretches less than the clock's.
func TestCompletionIsQuickAndStartsNothing(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch AS one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 5 {
		cmd := exec.Command("archbuild", cobra.ShellCompRequestCmd, dir, "--target", "")
		cmd.Env = append(os.Environ(), "ARCHBUILD_STATE="+state)
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), "one\n") {
			t.Fatalf("%v: %s", err, out)
		}
		best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	t.Logf("processor time: %s", best)
	if best > 100*time.Millisecond {
		t.Errorf("completing takes %s of the processor, 50 ms are meant", best)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("completing has made a state folder")
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range shells() {
		var stdout bytes.Buffer
		if code := run(context.Background(), []string{"completion", shell}, strings.NewReader(""), &stdout, io.Discard); code != exitOK {
			t.Fatalf("%s: exit status %d", shell, code)
		}
		if !strings.Contains(stdout.String(), "__complete") {
			t.Errorf("%s: %.80s", shell, &stdout)
		}
		program, err := exec.LookPath(shell)
		if err != nil {
			continue // the shells that are here read their script
		}
		check := exec.Command(program, "-n")
		check.Stdin = &stdout
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
	}
}
