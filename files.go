package archbuild

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/wrong"
)

// files is where a template and what belongs to it are read: this machine, or a
// context that is no folder of it. Names are as messages show them.
type files struct {
	// tree is the context; nil is this machine.
	tree fs.FS
}

// Bounds of what is read of a file beside a template, in bytes: of one like a Dockerfile, and of one that need not be there.
const (
	maxBeside   = 16 << 20
	maxOptional = 4 << 20
)

func (f files) open(name string) (fs.File, error) {
	if f.tree == nil {
		return plainfile.Open(name)
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

// oddity says what there is under a name that could be read and is no file, for example
// "a folder"; empty where there is nothing, or a file.
func (f files) oddity(name string) string {
	info, err := f.stat(name)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return "a symbolic link that leads back to itself"
	case errors.Is(err, fs.ErrNotExist):
		if link, err := os.Lstat(name); f.tree == nil && err == nil && link.Mode()&fs.ModeSymlink != 0 {
			return "a symbolic link to what is not there"
		}
	case err == nil:
		return plainfile.Kind(info.Mode())
	}
	return ""
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

// ignore reads the ignore file of a Dockerfile; nil is none.
func (f files) ignore(name string) ([]byte, error) {
	if f.tree == nil {
		return ignore.Path(name)
	}
	return ignore.In(f.tree, filepath.ToSlash(filepath.Clean(name)))
}

// optional reads a file that need not be there; nil when it is not.
func (f files) optional(name string) ([]byte, error) {
	data, err := f.read(name, maxOptional)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(data) > maxOptional {
		err = &plainfile.Error{Is: fmt.Sprintf("longer than %d bytes", maxOptional)}
	}
	if err != nil {
		return nil, &wrong.Read{What: filepath.Base(name), Err: err}
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}
