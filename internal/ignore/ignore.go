// Package ignore reads ignore files: the .dockerignore of a context, and NAME.dockerignore of a Dockerfile.
//
// An ignore file is what keeps passwords and keys out of a build. BuildKit passes over one that it cannot read,
// and a line in another encoding than UTF-8 is a pattern that names no file: nothing is left out then, and nobody is
// told. Here such a file is an error, and the run ends before a node has seen anything of the context. Only a file
// that is not there is none.
//
// The patterns are BuildKit's: https://docs.docker.com/build/concepts/context/#dockerignore-files. The three bytes
// that some editors put before UTF-8 text are taken off.
package ignore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"unicode/utf8"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// File is the name of a context's ignore file; after a Dockerfile's name it is that of its own.
const File = ".dockerignore"

// Most bounds an ignore file, in bytes: each of its lines becomes a pattern that is tried on every file.
const Most = 1 << 20

// Error says that an ignore file is there, and that it cannot be told what it leaves out.
type Error struct {
	// Name of the file, as messages show it.
	Name string
	Err  error
}

func (e *Error) Error() string {
	cause := e.Err
	if at := new(fs.PathError); errors.As(cause, &at) {
		cause = at.Err
	}
	return fmt.Sprintf("%s: %v", e.Name, cause)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint is the same for all causes.
func (e *Error) Hint() string {
	return "make it a plain file of UTF-8 text with a pattern on each line, or take it away: as it is, it leaves nothing out"
}

var (
	errText    = errors.New("it is no text in UTF-8")
	errNowhere = errors.New("it is a symbolic link to what is not there")
	errItself  = errors.New("it is a symbolic link that leads back to itself")
	errOutside = errors.New("it is a symbolic link out of the context, where a node does not find it")
)

// Folder reads the ignore file of a folder; nil is none. A link that leads out of the folder is an error.
// Every error but that of the folder itself is an *Error.
func Folder(folder string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	text, err := plainfile.ReadIn(root, File, Most)
	return checked(File, text, explained(root.FS(), File, err))
}

// Tree reads the ignore file of files that are in no folder of this machine, as Folder does.
func Tree(tree fs.FS) ([]byte, error) { return In(tree, File) }

// In reads an ignore file by its name in a tree, as Folder does.
func In(tree fs.FS, name string) ([]byte, error) {
	text, err := read(tree, name)
	return checked(name, text, explained(tree, name, err))
}

// Path reads an ignore file by its path on this machine, wherever its links lead; nil is none. Errors are an *Error.
func Path(path string) ([]byte, error) {
	text, err := plainfile.Read(path, Most)
	if errors.Is(err, fs.ErrNotExist) && isLink(os.Lstat(path)) {
		err = errNowhere
	}
	return checked(path, text, explained(nil, path, err))
}

func read(tree fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(tree, name)
	if err != nil {
		return nil, err
	}
	if what := plainfile.Kind(info.Mode()); what != "" {
		return nil, &plainfile.Error{Is: what}
	}
	file, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, Most+1))
	if err == nil && len(text) > Most {
		err = &plainfile.Error{Is: fmt.Sprintf("longer than %d bytes", Most)}
	}
	return text, err
}

// explained says of a link what is wrong with it.
func explained(tree fs.FS, name string, err error) error {
	if errors.Is(err, syscall.ELOOP) {
		return errItself
	}
	if err == nil || tree == nil || errors.Is(err, fs.ErrPermission) || errors.As(err, new(*plainfile.Error)) || !isLink(fs.Lstat(tree, name)) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errNowhere
	}
	return errOutside
}

func isLink(info fs.FileInfo, err error) bool { return err == nil && info.Mode()&fs.ModeSymlink != 0 }

// checked is what was read, if it can be understood.
func checked(name string, text []byte, err error) ([]byte, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &Error{name, err}
	}
	if _, err := Patterns(name, text); err != nil {
		return nil, err
	}
	if text == nil {
		text = []byte{} // it is there, and leaves nothing out
	}
	return text, nil
}

// Patterns are those of an ignore file, in their order. An error is an *Error.
func Patterns(name string, text []byte) ([]string, error) {
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, &Error{name, errText}
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err == nil {
		_, err = patternmatcher.New(patterns)
	}
	if err != nil {
		return nil, &Error{name, err}
	}
	return patterns, nil
}

// Matcher tells what an ignore file leaves out; of none, that is nothing. An error is an *Error.
func Matcher(name string, text []byte) (*patternmatcher.PatternMatcher, error) {
	patterns, err := Patterns(name, text)
	if err != nil {
		return nil, err
	}
	return patternmatcher.New(patterns)
}
