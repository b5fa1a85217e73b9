package ocistore

import (
	"errors"
	"fmt"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Size tells how large a blob or document is; its bytes are not read. What is
// not there is a *MissingError.
func (l *Layout) Size(digest v1.Hash) (int64, error) {
	if raw, ok := l.made[digest]; ok {
		return int64(len(raw)), nil
	}
	name, err := blobName(digest)
	if err != nil {
		return 0, err
	}
	file, size, err := l.src.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &MissingError{Digest: digest.String()}
	}
	if err != nil {
		return 0, fmt.Errorf("opening blob %s: %w", digest, err)
	}
	return size, file.Close()
}

// DigestError says that a blob holds other bytes than its name says.
type DigestError struct{ Want, Got string }

func (e *DigestError) Error() string {
	return fmt.Sprintf("blob %s holds other bytes: their digest is %s", e.Want, e.Got)
}

// Hint tells what makes a blob other than its name.
func (e *DigestError) Hint() string { return "the copy is damaged: copy or build the image again" }
