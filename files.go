package archbuild

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// files is where a template and what belongs to it are read: this machine, or a
// context that is no folder of it. Names are as messages show them.
type files struct {
	// tree is the context; nil is this machine.
	tree fs.FS
}

// maxBeside bounds what is read of a file beside a template, in bytes.
const maxBeside = 16 << 20

func (f files) open(name string) (fs.File, error) {
	if f.tree == nil {
		return os.Open(name)
	}
	return f.tree.Open(filepath.ToSlash(filepath.Clean(name)))
}

func (f files) stat(name string) (fs.FileInfo, error) {
	if f.tree == nil {
		return os.Stat(name)
	}
	return fs.Stat(f.tree, filepath.ToSlash(filepath.Clean(name)))
}

func (f files) readDir(name string) ([]fs.DirEntry, error) {
	if f.tree == nil {
		return os.ReadDir(name)
	}
	return fs.ReadDir(f.tree, filepath.ToSlash(filepath.Clean(name)))
}

func (f files) isFile(name string) bool {
	info, err := f.stat(name)
	return err == nil && info.Mode().IsRegular()
}

// read gives at most some bytes of a file, and one beyond, so that the reader of
// Dockerfiles can say that it is too long.
func (f files) read(name string, most int64) ([]byte, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1))
}

// optional reads a file that need not be there; nil when it is not.
func (f files) optional(name string) ([]byte, error) {
	data, err := f.read(name, maxBeside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(data) > maxBeside {
		err = fmt.Errorf("it is longer than %d bytes", maxBeside)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(name), err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}
