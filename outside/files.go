package outside

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/archbuild/archbuild/internal/whole"
	"github.com/archbuild/archbuild/wrong"
)

// WriteWhole writes a file whole or not at all. What is no plain file
// (/dev/stdout, a pipe) is written to, never replaced.
func WriteWhole(path string, content []byte) error {
	if err := whole.Write(path, content); err != nil {
		return &wrong.Write{Path: path, Err: err}
	}
	return nil
}

// AppendFile adds to a file that others may write to as well, all or nothing.
func AppendFile(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return &wrong.Write{Path: path, Err: err}
	}
	before, err := file.Seek(0, io.SeekEnd)
	regular := err == nil // else it is a pipe
	if n, err := file.Write(bytes.TrimLeft(content, "\n")); err != nil {
		if regular && n > 0 {
			_ = file.Truncate(before)
		}
		return errors.Join(&wrong.Write{Path: path, Err: err}, file.Close())
	}
	return file.Close()
}
