package bake_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/crypto/ssh"

	"github.com/archbuild/archbuild/project/bake"
)

var update = flag.Bool("update", false, "ask bin/buildx what it prints, and write it into the cases")

// aCase is a file of testdata/print: words of a command line, files, and what `docker buildx bake --print` (v0.37.2) printed
// of them, or that it failed; then the lines of "error" and "hint" are archbuild's own.
type aCase struct {
	path    string
	archive *txtar.Archive
	args    []string
	env     []string
}

func readCase(t *testing.T, path string) aCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := aCase{path: path, archive: archive}
	for line := range strings.Lines(string(archive.Comment)) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "run":
			c.args = strings.Fields(rest)
		case "env":
			c.env = append(c.env, rest)
		}
	}
	return c
}

// options are what the words mean.
func (c aCase) options(t *testing.T) bake.Options {
	t.Helper()
	o := bake.Options{LocalPlatform: "linux/amd64", Env: func(name string) (string, bool) {
		for _, v := range c.env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
	for i := 0; i < len(c.args); i++ {
		into := map[string]*[]string{"-f": &o.Files, "--set": &o.Set, "--var": &o.Vars}[c.args[i]]
		if into == nil {
			o.Names = append(o.Names, c.args[i])
			continue
		}
		i++
		*into = append(*into, c.args[i])
	}
	return o
}

func (c aCase) part(name string) []byte {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// lay writes the files of the case into a folder that becomes the working directory.
func (c aCase) lay(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range c.archive.Files {
		if f.Name == "want.json" || f.Name == "error" {
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// TestPrintSaysWhatBuildxSays compares byte by byte. A case in which buildx fails is an error here as well, with a place
// where there is one, and with a hint.
func TestPrintSaysWhatBuildxSays(t *testing.T) {
	paths, err := filepath.Glob("testdata/print/*.txtar")
	if err != nil || len(paths) < 90 {
		t.Fatalf("%d cases: %v", len(paths), err)
	}
	buildx, err := filepath.Abs("../../bin/buildx")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			c := readCase(t, path)
			full, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			c.lay(t)
			got, err := bake.Print(c.options(t))
			said := told(err)
			if *update {
				c.record(t, full, buildx, said)
			}
			want := c.part("want.json")
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("buildx (-) and archbuild (+) differ:\n%s\nerror: %v", diff, err)
			}
			if diff := cmp.Diff(string(c.part("error")), said); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != json.Valid(got) {
				t.Errorf("an error (%v) and %d bytes of JSON", err, len(got))
			}
		})
	}
}

// record writes what buildx prints into the case, and what archbuild says where buildx fails.
func (c aCase) record(t *testing.T, path, buildx, said string) {
	t.Helper()
	args := slices.Concat([]string{"bake", "--print"}, c.args)
	// buildx looks at the agent and at keys before it prints.
	agent, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	for _, name := range []string{"key1", "key2"} {
		if err := os.WriteFile(name, aKey(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(buildx, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "SSH_AUTH_SOCK=" + agent.Addr().String()}, c.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == "want.json" || f.Name == "error" })
	if err == nil {
		c.archive.Files = append(c.archive.Files, txtar.File{Name: "want.json", Data: out})
	} else {
		t.Logf("buildx: %s", stderr.Bytes())
		c.archive.Files = append(c.archive.Files, txtar.File{Name: "error", Data: []byte(said)})
	}
	if err := os.WriteFile(path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func aKey(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// told is an error as the program shows it: each with its hint.
func told(err error) string {
	var text strings.Builder
	for _, e := range each(err) {
		var hinted interface{ Hint() string }
		text.WriteString("error: " + e.Error() + "\n")
		if errors.As(e, &hinted) {
			text.WriteString("hint: " + hinted.Hint() + "\n")
		}
	}
	return text.String()
}

func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, each(e)...)
		}
		return all
	}
	return []error{err}
}
