//go:build linux && amd64

package faults_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree is what a folder holds, by path below it; folders themselves are left out unless they are empty.
type tree map[string]file

type file struct {
	mode    fs.FileMode
	content string // of a link its target
	at      time.Time
}

// same compares contents and kinds; and modes, but not those of blobs: they can be links into archbuild's own store.
func (f file) same(other file, name string) bool {
	mode := f.mode == other.mode || strings.Contains(name, "blobs/sha256/") && f.mode.Type() == other.mode.Type()
	return mode && f.content == other.content
}

func readTree(t testing.TB, dir string) tree {
	t.Helper()
	found := tree{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f := file{mode: info.Mode(), at: info.ModTime()}
		var raw []byte
		switch {
		case entry.IsDir():
			list, err := os.ReadDir(path)
			if err != nil || len(list) > 0 {
				return err
			}
		case info.Mode().Type() == fs.ModeSymlink:
			f.content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			raw, err = os.ReadFile(path)
			f.content = string(raw)
		default:
			return nil // a socket
		}
		found[name] = f
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// write makes a folder hold the tree and nothing else.
func (tr tree) write(t testing.TB, dir string) {
	t.Helper()
	err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
	for name, f := range tr {
		path := filepath.Join(dir, name)
		if f.mode.IsDir() {
			err = errors.Join(err, os.MkdirAll(path, f.mode.Perm()))
			continue
		}
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755))
		if f.mode.Type() == fs.ModeSymlink {
			err = errors.Join(err, os.Symlink(f.content, path))
			continue
		}
		err = errors.Join(err, os.WriteFile(path, []byte(f.content), 0o600), os.Chmod(path, f.mode.Perm()), os.Chtimes(path, f.at, f.at))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// names are the paths, sorted.
func (tr tree) names() []string {
	var list []string
	for name := range tr {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// below is what lies in a folder, by its names there.
func (tr tree) below(folder string) tree {
	rest := tree{}
	for name, f := range tr {
		if inside, ok := strings.CutPrefix(name, folder+"/"); ok {
			rest[inside] = f
		}
	}
	return rest
}
