package contents

import (
	"archive/tar"
	"errors"
	"io"
	"path"
	"strings"
)

func (l *look) tar(from io.Reader, prefix string, depth int) error {
	entries := tar.NewReader(from)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = l.pay(costEntry)
		}
		if err != nil {
			return err
		}
		if len(header.Name) > maxName || len(header.Linkname) > maxName {
			continue
		}
		name := prefix + clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			// Paid for once more: the holes of a sparse file are no bytes of the archive.
			content := source{&paid{entries, &l.purse, 1}, nil, header.Size}
			if err := l.file(content, name, depth); err != nil {
				return err
			}
		case tar.TypeSymlink:
			if err := l.link(name, header.Linkname, depth); err != nil {
				return err
			}
		}
	}
}

// link notes a symbolic link of an archive that is unpacked.
func (l *look) link(name, target string, depth int) error {
	if !l.wantLinks || depth > 1 {
		return nil
	}
	if len(l.links) == maxPrograms {
		return errCost
	}
	l.links = append(l.links, inside{name: name, target: target})
	return nil
}

// clean is a path in an archive, which may try to leave the folder that it is unpacked in.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
