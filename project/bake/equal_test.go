package bake_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/project/bake"
)

// TestEqual reads bake files with this package and with buildx, and what comes out is the same: as data, so that the order
// of keys does not count. What buildx refuses is refused here.
//
// The files are those in testdata/equal, which look into corners, and the bake files among the projects whose graphs are
// expected. Each begins with lines of the form
//
//	run -f docker-bake.hcl app --set app.args.A=1     words behind `buildx bake --print`
//	env TAG=1                                         a variable of the environment, beside PATH and HOME
//	key id                                            a file that is a private key for ssh
//	fails docker-bake.hcl TAG                         both refuse it, and these words are in our error
func TestEqual(t *testing.T) {
	buildx, err := filepath.Abs("../../bin/buildx")
	if err == nil {
		_, err = os.Stat(buildx)
	}
	if err != nil {
		t.Fatalf("buildx is missing (make bin/buildx): %v", err)
	}
	paths, _ := filepath.Glob("testdata/equal/*.txtar") // the pattern is right
	graphs, _ := filepath.Glob("../testdata/graphs/bake-*.txtar")
	if len(paths) < 40 || len(graphs) < 20 {
		t.Fatalf("there are %d files of corners and %d projects", len(paths), len(graphs))
	}
	refused := 0
	for _, path := range slices.Concat(paths, graphs) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			c := readEqualCase(t, path)
			t.Chdir(c.dir)
			theirs, refusal := c.buildx(buildx)
			ours, err := bake.Print(c.options())
			switch {
			case refusal != nil && !c.fails:
				t.Fatalf("buildx refuses what it is to take: %v", refusal)
			case refusal == nil && c.fails:
				t.Fatalf("buildx takes what it is to refuse: %s", theirs)
			case c.fails && err == nil:
				t.Fatalf("it is taken: %s\nbuildx says: %v", ours, refusal)
			case c.fails:
				refused++
				c.checkError(t, err)
				return
			case err != nil:
				t.Fatalf("it is refused: %v", err)
			}
			if diff := cmp.Diff(document(t, theirs, c.matrix), document(t, ours, c.matrix)); diff != "" {
				t.Errorf("- buildx, + archbuild:\n%s", diff)
			}
		})
	}
	t.Logf("%d definitions, %d of them refused", len(paths)+len(graphs), refused)
}

// equalCase is a definition, and the command line that reads it.
type equalCase struct {
	dir        string
	words, env []string
	fails      bool
	says       []string
	// matrix says that there is one: buildx has the members of its group in a different order each time.
	matrix bool
}

// readEqualCase lays out the files of a case.
func readEqualCase(t *testing.T, path string) equalCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := equalCase{dir: filepath.Join(t.TempDir(), "shop")}
	files := archive.Files
	for line := range strings.Lines(string(archive.Comment)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "run":
			// a folder is what both look through when nothing is named
			c.words = slices.DeleteFunc(words[1:], func(word string) bool { return word == "." })
		case "env":
			c.env = append(c.env, words[1])
		case "key":
			for _, name := range words[1:] {
				files = append(files, txtar.File{Name: name, Data: privateKey(t)})
			}
		case "fails":
			c.fails, c.says = true, words[1:]
		}
	}
	for _, file := range files {
		if file.Name == "want" {
			c.fails = c.fails || bytes.HasPrefix(file.Data, []byte("error "))
			continue
		}
		c.matrix = c.matrix || bytes.Contains(file.Data, []byte("matrix"))
		name := filepath.Join(c.dir, file.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, file.Data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// privateKey is one that nobody uses: buildx looks whether a file of ssh is one.
func privateKey(t *testing.T) []byte {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
}

// buildx prints the definition.
func (c equalCase) buildx(program string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), program, append([]string{"bake", "--print"}, c.words...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(c.dir)}, c.env...)
	cmd.Dir = c.dir
	out, err := cmd.Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return nil, errors.New(string(failed.Stderr))
	}
	return out, err
}

// options are the words as this package has them.
func (c equalCase) options() bake.Options {
	o := bake.Options{LocalPlatform: platforms.Format(platforms.DefaultSpec())}
	for i := 0; i < len(c.words); i++ {
		list := map[string]*[]string{"-f": &o.Files, "--set": &o.Set, "--var": &o.Vars}[c.words[i]]
		if list == nil {
			o.Names = append(o.Names, c.words[i])
			continue
		}
		i++
		*list = append(*list, c.words[i])
	}
	o.Env = func(name string) (string, bool) {
		for _, variable := range slices.Backward(c.env) {
			if value, found := strings.CutPrefix(variable, name+"="); found {
				return value, true
			}
		}
		return "", false
	}
	return o
}

// checkError looks whether an error has the words that are due, and says what to do next.
func (c equalCase) checkError(t *testing.T, err error) {
	t.Helper()
	for _, word := range c.says {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if hinted := interface{ Hint() string }(nil); !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("%q has no hint", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is missing: %v", err)
	}
}

// printed is what both print.
type printed struct {
	Group  map[string]struct{ Targets []string }
	Target map[string]any
	More   map[string]any `json:"-"`
}

// document reads it; what has another name is kept as well. Members of groups are sorted where their order is by chance.
func document(t *testing.T, data []byte, sorted bool) printed {
	t.Helper()
	var p printed
	if err := errors.Join(json.Unmarshal(data, &p), json.Unmarshal(data, &p.More)); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	delete(p.More, "group")
	delete(p.More, "target")
	if sorted {
		for _, g := range p.Group {
			slices.Sort(g.Targets)
		}
	}
	return p
}
