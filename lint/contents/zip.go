package contents

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
)

var (
	errLong    = errors.New("it is too long to be held in memory")
	errUnknown = errors.New("it is compressed or encrypted in a way that is not known")
)

// zip looks at the files of a zip, each of which can be read by itself.
func (l *look) zip(from source, prefix string, depth int) error {
	if from.at == nil || from.size < 0 {
		whole, err := io.ReadAll(io.LimitReader(from, maxBuffered+1))
		if err != nil {
			return err
		}
		if len(whole) > maxBuffered {
			return errLong
		}
		from.at, from.size = bytes.NewReader(whole), int64(len(whole))
	}
	// The directory comes into memory whole; nothing else is as long.
	bounded := &paidAt{from.at, &l.purse, maxDirectory}
	archive, err := zip.NewReader(bounded, from.size)
	if err != nil {
		return err
	}
	bounded.left = math.MaxInt64
	for _, f := range archive.File {
		if f.Name == "AndroidManifest.xml" {
			return nil // for telephones
		}
	}
	for _, f := range archive.File {
		if f.Mode().IsRegular() && len(f.Name) <= maxName {
			if err := l.zipped(bounded, f, prefix+clean(f.Name), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// zipped looks at one file of a zip. One that cannot be read leaves the others.
func (l *look) zipped(archive *paidAt, f *zip.File, name string, depth int) error {
	const encrypted = 1
	if err := l.pay(costOpen); err != nil {
		return err
	}
	if f.Flags&encrypted != 0 {
		l.note(name, errUnknown.Error())
		return nil
	}
	content, err := f.Open()
	switch {
	case isFatal(err):
		return err
	case errors.Is(err, zip.ErrAlgorithm):
		l.note(name, errUnknown.Error())
		return nil
	case err != nil:
		return err
	}
	defer content.Close()
	from := source{&paid{content, &l.purse, 1}, nil, -1}
	if at, err := f.DataOffset(); err == nil && f.Method == zip.Store && f.UncompressedSize64 < math.MaxInt64 {
		from.size = int64(f.UncompressedSize64)
		from.at = io.NewSectionReader(archive, at, from.size)
	}
	return l.file(from, name, depth)
}
