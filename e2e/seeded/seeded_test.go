// Package seeded asks whether the tests would notice. Each file of testdata takes one defence out of the code, as a
// careless change could: a digest is no longer compared, a lock not taken, a filter not applied. With that fault the test
// that holds the defence has to fail, or it holds nothing.
//
// The fault is never written into the tree: go test -overlay compiles the package with the changed file in the place of
// its own. Every fault costs a compilation and a test, so that all of them are for `make seeded`; what costs nothing,
// whether each still fits the code, is looked at in every run.
package seeded_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// atLeast is how many faults there have to be.
const atLeast = 30

// root is where the module lies.
const root = "../.."

// seed is one fault: in File, Old becomes New. Pkg's tests of the pattern Run have to fail then.
type seed struct {
	Name, Promise, File, Old, New, Pkg, Run string
}

// read takes a file of testdata apart: a sentence that says what is promised, the lines "file: PATH" and "test: PACKAGE PATTERN", and
// the parts old and new, whole lines both.
func read(t *testing.T, path string) seed {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := seed{Name: strings.TrimSuffix(filepath.Base(path), ".txtar")}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "file":
			s.File = value
		case "test":
			s.Pkg, s.Run, _ = strings.Cut(value, " ")
		default:
			s.Promise = strings.TrimSpace(s.Promise + " " + strings.TrimSpace(line))
		}
	}
	for _, part := range archive.Files {
		switch part.Name {
		case "old":
			s.Old = string(part.Data)
		case "new":
			s.New = string(part.Data)
		}
	}
	if s.Promise == "" || s.File == "" || s.Old == "" || s.Old == s.New || s.Pkg == "" || s.Run == "" {
		t.Fatalf("%s: lacks a promise, a file, a test, or a difference", path)
	}
	return s
}

func seeds(t *testing.T) []seed {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []seed
	for _, path := range paths {
		all = append(all, read(t, path))
	}
	return all
}

// changed is the file with the fault in it.
func (s seed) changed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, s.File))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count("\n"+string(text), "\n"+s.Old); n != 1 {
		t.Fatalf("the lines to change stand %d times in %s; the fault has to follow the code:\n%s", n, s.File, s.Old)
	}
	return strings.TrimPrefix(strings.Replace("\n"+string(text), "\n"+s.Old, "\n"+s.New, 1), "\n")
}

func TestEveryFaultFitsTheCode(t *testing.T) {
	all := seeds(t)
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			if _, err := parser.ParseFile(token.NewFileSet(), s.File, s.changed(t), 0); err != nil {
				t.Error(err)
			}
		})
	}
	if len(all) < atLeast {
		t.Errorf("%d faults, of %d at least", len(all), atLeast)
	}
}

// TestEveryFaultIsFound is for ARCHBUILD_SEEDED=1: five minutes on two cores. Without it one fault is tried, so that this test itself is.
func TestEveryFaultIsFound(t *testing.T) {
	all := seeds(t)
	if os.Getenv("ARCHBUILD_SEEDED") == "" {
		all = all[:1]
	}
	sound := map[string]bool{} // what was seen to pass without a fault
	found := 0
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			if key := s.Pkg + " " + s.Run; !sound[key] {
				if out, err := s.test(t, ""); err != nil || strings.Contains(out, "[no tests to run]") {
					t.Fatalf("go test %s -run %s fails without a fault, or runs nothing: %v\n%s", s.Pkg, s.Run, err, tail(out))
				}
				sound[key] = true
			}
			began := time.Now()
			out, err := s.test(t, s.overlay(t))
			switch {
			case err == nil:
				t.Errorf("nobody noticed: %s", s.Promise)
			case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic: test timed out"):
				t.Errorf("it does not get as far as a test: %v\n%s", err, tail(out))
			default:
				found++
				t.Logf("found after %s", time.Since(began).Round(time.Second/10))
			}
		})
	}
	t.Logf("%d of %d seeded faults found", found, len(all))
}

// overlay is a file for go test -overlay.
func (s seed) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file, err := filepath.Abs(filepath.Join(root, s.File))
	if err != nil {
		t.Fatal(err)
	}
	instead := filepath.Join(dir, "fault.go")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: instead}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	for name, data := range map[string]string{instead: s.changed(t), path: string(list)} {
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// test runs the tests that have to notice. A fault may well make them hang: they get two minutes.
func (s seed) test(t *testing.T, overlay string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-timeout=120s", "-overlay="+overlay, "-run="+s.Run, s.Pkg)
	if overlay == "" {
		cmd.Args = append(cmd.Args[:5:5], cmd.Args[6:]...)
	}
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return string(out), err
}

func tail(text string) string {
	if n := 4000; len(text) > n {
		return "…" + text[len(text)-n:]
	}
	return text
}
