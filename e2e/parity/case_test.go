package parity_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// parityCase is one file of the folder cases; README.md says what its lines mean.
type parityCase struct {
	name      string
	platforms []string
	context   string
	output    string
	// args are given to both, archbuildArgs to archbuild alone. With buildxArgs, which are by platform, buildx builds each platform
	// by itself, since it has no such arguments for one of several.
	args, archbuildArgs []string
	buildxArgs          map[string][]string
	env                 []string
	// stdin is the file that both read from standard input, or empty.
	stdin string
	// tries is how often a case is built by both until they agree, where BuildKit itself is not the same twice; it is 1 else.
	tries int
	// syntax is a line "# syntax=" that archbuild finds in the Dockerfile, and buildx, which would pull that image, does not.
	syntax string
	files  []txtar.File
	steps  []step
	// words are those that the lines begin with.
	words []string
}

// step is something that the text of a case cannot hold.
type step struct {
	do    doStep
	words []string
}

// doStep works in a case's folder; words are what stands after the colon.
type doStep func(w *world, dir string, words []string) error

// steps by the word that begins their line.
func steps() map[string]doStep {
	return map[string]doStep{
		"crlf": func(_ *world, dir string, w []string) error {
			return change(dir, w[0], func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) })
		},
		"bom": func(_ *world, dir string, w []string) error {
			return change(dir, w[0], func(text []byte) []byte { return append([]byte("\ufeff"), text...) })
		},
		"open-end": func(_ *world, dir string, w []string) error {
			return change(dir, w[0], func(text []byte) []byte { return bytes.TrimSuffix(text, []byte("\n")) })
		},
		"mode": func(_ *world, dir string, w []string) error {
			mode, err := strconv.ParseUint(w[1], 8, 32)
			if err != nil {
				return err
			}
			return os.Chmod(filepath.Join(dir, w[0]), fs.FileMode(mode))
		},
		"link":   func(_ *world, dir string, w []string) error { return os.Symlink(w[1], filepath.Join(dir, w[0])) },
		"folder": func(_ *world, dir string, w []string) error { return os.MkdirAll(filepath.Join(dir, w[0]), 0o755) },
		"tar": func(_ *world, dir string, w []string) error {
			return pack(filepath.Join(dir, w[0]), filepath.Join(dir, w[1]))
		},
		"repository": func(_ *world, dir string, w []string) error {
			return repository(filepath.Join(dir, w[0]), filepath.Join(dir, w[1]))
		},
		"image": func(w *world, dir string, words []string) error {
			return w.pull(filepath.Join(dir, words[0]), words[1])
		},
		"agent": func(w *world, dir string, words []string) error { return w.listen(filepath.Join(dir, words[0])) },
	}
}

// readCases are all files of the folder cases, by name.
func readCases(t *testing.T) []parityCase {
	t.Helper()
	names, err := filepath.Glob("cases/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var list []parityCase
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := parityCase{
			name: strings.TrimSuffix(filepath.Base(name), ".txtar"), platforms: []string{"linux/amd64"}, context: ".", output: "oci",
			buildxArgs: map[string][]string{}, files: archive.Files,
		}
		for line := range strings.Lines(string(archive.Comment)) {
			if err := c.read(strings.TrimSpace(line)); err != nil {
				t.Fatalf("%s: %s: %v", name, strings.TrimSpace(line), err)
			}
		}
		list = append(list, c)
	}
	return list
}

// read takes one line of what is said of a case.
func (c *parityCase) read(line string) error {
	if line == "" || strings.HasPrefix(line, "# ") {
		return nil
	}
	head, text, ok := strings.Cut(line, ": ")
	if !ok {
		return fmt.Errorf("it is not WORD: VALUE")
	}
	word, platform, _ := strings.Cut(head, " ")
	words := strings.Fields(text)
	c.words = append(c.words, word)
	switch word {
	case "platforms":
		c.platforms = words
	case "context":
		c.context = text
	case "output":
		c.output = text
	case "args":
		c.args = append(c.args, words...)
	case "archbuild":
		c.archbuildArgs = append(c.archbuildArgs, words...)
	case "buildx":
		c.buildxArgs[platform] = words
	case "env":
		c.env = append(c.env, words...)
	case "stdin":
		c.stdin = text
	case "syntax":
		c.syntax = text
	case "tries":
		tries, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		c.tries = tries
	default:
		do, ok := steps()[word]
		if !ok {
			return fmt.Errorf("unknown word %q", word)
		}
		c.steps = append(c.steps, step{do, words})
	}
	return nil
}

// lay writes the files of a case to a folder.
func (c parityCase) lay(t *testing.T, w *world, dir string) {
	t.Helper()
	for _, f := range c.files {
		if err := write(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range c.steps {
		if err := s.do(w, dir, s.words); err != nil {
			t.Fatal(err)
		}
	}
	if err := age(dir, c.name); err != nil {
		t.Fatal(err)
	}
}

func write(name string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, data, mode); err != nil {
		return err
	}
	return os.Chmod(name, mode) // whatever the umask is
}

// age gives all files one time: later than the epoch, so that it is rewritten, and another one for each case. A builder takes files
// with the same path, size and time for the same file, and buildx tells contexts apart by the last word of their paths alone.
func age(dir, name string) error {
	at := time.Unix(epoch+1+int64(crc32.ChecksumIEEE([]byte(name))>>4), 0)
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(name, at, at)
	})
}

func change(dir, name string, edit func([]byte) []byte) error {
	name = filepath.Join(dir, name)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, edit(text), 0o644)
}

// pack writes the files of a folder to a tar, which is compressed when its name ends in gz; the folder is gone afterwards.
func pack(name, folder string) error {
	if err := age(folder, "archive"); err != nil {
		return err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	if err := w.AddFS(os.DirFS(folder)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if strings.HasSuffix(name, "gz") {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		if _, err := z.Write(packed.Bytes()); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		packed = zipped
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return write(name, packed.Bytes(), 0o644)
}

// repository makes a folder's files the one commit, on the branch main with the tag v1, of a repository that git fetches from.
func repository(name, folder string) error {
	script := `git init -q -b main . && git add . && git commit -q -m first && git tag v1 && git clone -q --bare . "$1" && git -C "$1" config http.receivepack false`
	cmd := exec.Command("sh", "-ec", script, "sh", name)
	cmd.Dir = folder
	date := fmt.Sprintf("%d +0000", epoch-1000) // before the epoch, so that it is seen in an image
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a repository: %w: %s", err, out)
	}
	return os.RemoveAll(folder)
}

// dockerfiles are the texts of a case that are Dockerfiles.
func (c parityCase) dockerfiles() []txtar.File {
	return slices.DeleteFunc(slices.Clone(c.files), func(f txtar.File) bool {
		name := filepath.Base(f.Name)
		isOne := name == "Dockerfile" || name == "Containerfile" || strings.HasPrefix(name, "Dockerfile.") || strings.HasSuffix(name, ".Dockerfile")
		return !isOne || strings.HasSuffix(name, ".dockerignore")
	})
}
