// Package plainfile reads files whose names are not chosen by who reads them: archbuild.yaml beside a Dockerfile, the ignore
// file of a context, configurations of other tools. What lies there can be anything. A pipe would be waited for without end,
// a device read without end, and a file of a terabyte would fill the memory; all of them are errors here, before a byte is read.
package plainfile

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Error says that a file is there and is none to read.
type Error struct {
	// Is is what it is: "a named pipe", "longer than 1048576 bytes".
	Is string
}

func (e *Error) Error() string { return "it is " + e.Is }

// Hint is the one thing to do.
func (e *Error) Hint() string { return "put a plain file there, or take it away" }

// Open opens a file for reading. What is no regular file is an *Error. A symbolic link is followed.
func Open(path string) (*os.File, error) {
	// The kind is looked at first: to open some devices does something already.
	info, err := os.Stat(path)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	return checked(os.OpenFile(path, flags, 0))
}

// OpenIn opens a file below a root.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	return checked(root.OpenFile(name, flags, 0))
}

// flags do not wait for the other end, if another file came into its place in between.
const flags = os.O_RDONLY | syscall.O_NONBLOCK

func checked(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Read gives the bytes of a file of at most that many; a longer one is an *Error.
func Read(path string, most int64) ([]byte, error) {
	if path == os.DevNull { // how one says that there is to be none
		return nil, nil
	}
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	return all(file, most)
}

// ReadIn reads a file below a root, as Read does.
func ReadIn(root *os.Root, name string, most int64) ([]byte, error) {
	file, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	return all(file, most)
}

// ReadFS reads a file of a file system, as Read does.
func ReadFS(files fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(files, name)
	if err == nil {
		err = regular(info)
	}
	if err == nil {
		err = short(info.Size(), most)
	}
	if err != nil {
		return nil, err
	}
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil {
		err = short(int64(len(data)), most)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Check says what Read would of a file that somebody else is to read, at most so many bytes long.
func Check(path string, most int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := regular(info); err != nil {
		return err
	}
	return short(info.Size(), most)
}

func all(file *os.File, most int64) ([]byte, error) {
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := short(info.Size(), most); err != nil {
		return nil, err
	}
	// It can grow, and files of /proc have no size.
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead)
	n, err := data.ReadFrom(io.LimitReader(file, most+1))
	if err == nil {
		err = short(n, most)
	}
	if err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

func short(size, most int64) error {
	if size > most {
		return &Error{fmt.Sprintf("longer than %d bytes", most)}
	}
	return nil
}

// regular tells what a file is that is none to read.
func regular(info fs.FileInfo) error {
	if what := Kind(info.Mode()); what != "" {
		return &Error{what}
	}
	return nil
}

// Kind is what a file is that is none to read, for example "a folder"; empty for one that is.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
