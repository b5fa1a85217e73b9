package archbuild_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/outside"
)

// lintCase is one file of lint/testdata/corpus, unpacked.
type lintCase struct {
	name, folder string
	want         []expectation
	args         string
	online       bool
}

// quiet tells that nothing is expected that anybody would have to mend.
func (c *lintCase) quiet() bool {
	return !slices.ContainsFunc(c.want, func(e expectation) bool { return e.Severity != lint.Info })
}

// options are what the case asks for.
func (c *lintCase) options(t *testing.T) archbuild.Options {
	t.Helper()
	o := archbuild.Options{
		System: outside.System{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Environ: []string{"HOME=" + t.TempDir()}},
		Paths:  []string{c.folder}, Offline: !c.online, BuildPlatform: "linux/amd64", Engine: outside.Engine{State: t.TempDir()},
	}
	words := strings.Fields(c.args)
	for len(words) > 1 {
		switch flag, value := words[0], words[1]; flag {
		case "--platform":
			o.Platforms = append(o.Platforms, value)
		case "--target":
			o.Target = value
		case "--build-arg":
			o.BuildArgs = append(o.BuildArgs, value)
		case "--file":
			o.File = filepath.Join(c.folder, filepath.FromSlash(value))
		default:
			t.Fatalf("%s: args: %s is not known", c.name, flag)
		}
		words = words[2:]
	}
	return o
}

// readCase unpacks a case into a folder of its own.
func readCase(t *testing.T, path string) *lintCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &lintCase{name: filepath.Base(path), folder: t.TempDir()}
	control := map[string]string{}
	files := map[string][]byte{}
	wanted := false
	for _, f := range archive.Files {
		switch f.Name {
		case "want", "programs", "links", "registry", "args", "bytes":
			control[f.Name] = string(f.Data)
			wanted = wanted || f.Name == "want"
		default:
			files[f.Name] = f.Data
		}
	}
	if !wanted {
		t.Fatalf("%s: want is missing", c.name)
	}
	if c.want, err = parseWant(control["want"]); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	c.args = control["args"]
	c.fillRegistry(t, control["registry"], files)
	if err := addPrograms(files, control["programs"]); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	if err := changeBytes(files, control["bytes"]); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	c.write(t, files, control["links"])
	return c
}

// write makes the files and links.
func (c *lintCase) write(t *testing.T, files map[string][]byte, links string) {
	t.Helper()
	root, err := os.OpenRoot(c.folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, data := range files {
		name, mode := strings.CutSuffix(name, " +x")
		permissions := os.FileMode(0o644)
		if mode {
			permissions = 0o755
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := root.WriteFile(name, data, permissions); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(links) {
		name, target, ok := strings.Cut(strings.TrimSpace(line), " -> ")
		if !ok {
			t.Fatalf("%s: links: %q", c.name, line)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := root.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
}

var digestOf = regexp.MustCompile(`\$DIGEST\{([^}]*)\}`)

// fillRegistry starts a registry with the images that the case names, and puts its
// address and their digests into the files.
func (c *lintCase) fillRegistry(t *testing.T, text string, files map[string][]byte) {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		return
	}
	c.online = true
	registry := registrytest.Start(t, registrytest.Memory)
	digests := map[string]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 {
			t.Fatalf("%s: registry: %q", c.name, line)
		}
		ref, single := strings.CutSuffix(words[0], "@single")
		repo, tag, _ := strings.Cut(ref, ":")
		made := registrytest.Index
		if single {
			made = registrytest.Image
		}
		image := made(registrytest.Options{Platforms: strings.Split(words[1], ","), Layers: []int{10}, Seed: uint64(len(digests))})
		image.Push(t, registry.Addr, repo, tag)
		digests[ref], digests[words[0]] = image.Root.Digest, image.Root.Digest
	}
	for name, data := range files {
		data = bytes.ReplaceAll(data, []byte("$REGISTRY"), []byte(registry.Addr))
		files[name] = digestOf.ReplaceAllFunc(data, func(match []byte) []byte {
			ref := string(digestOf.FindSubmatch(match)[1])
			if digests[ref] == "" {
				t.Fatalf("%s: registry has no %s", c.name, ref)
			}
			return []byte(digests[ref])
		})
	}
}

// changeBytes makes what a txtar archive cannot hold. An executable file is marked by
// its name until it is written.
func changeBytes(files map[string][]byte, text string) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 {
			return fmt.Errorf("bytes: %q", line)
		}
		data, ok := files[words[0]]
		if !ok {
			return fmt.Errorf("bytes: there is no %s", words[0])
		}
		switch words[1] {
		case "crlf":
			data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		case "bom":
			data = append([]byte("\ufeff"), data...)
		case "no-final-newline":
			data = bytes.TrimSuffix(data, []byte("\n"))
		case "latin1":
			var one []byte
			for _, r := range string(data) {
				one = append(one, byte(r)) //nolint:gosec // the case holds no other letters
			}
			data = one
		case "+x":
			delete(files, words[0])
			words[0] += " +x"
		default:
			return fmt.Errorf("bytes: %s is not known", words[1])
		}
		files[words[0]] = data
	}
	return nil
}
