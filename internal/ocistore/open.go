package ocistore

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxMembers bounds the files of an archive.
const maxMembers = 100_000

// IsLocal reports whether a path looks like something Open reads: a regular
// file, or a folder with an index.json.
func IsLocal(name string) bool {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		info, err = os.Stat(filepath.Join(name, "index.json"))
	}
	return err == nil && info.Mode().IsRegular()
}

// Open reads the images of an OCI layout (a folder), or of an archive of one or
// of `docker save`. Close the closer after the last use of the images: layers
// are read lazily.
func Open(name string) ([]Entry, io.Closer, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &NoFileError{name}
	}
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		if !IsLocal(name) {
			return nil, nil, fmt.Errorf("reading %s: %w", name, &FormatError{Name: name, Folder: true})
		}
		list, err := layoutEntries(folder{name})
		if err != nil {
			return nil, nil, damaged(fmt.Errorf("reading layout %s: %w", name, err))
		}
		return list, io.NopCloser(nil), nil
	}
	list, closer, err := openArchive(name)
	if err != nil {
		return nil, nil, damaged(fmt.Errorf("reading archive %s: %w", name, err))
	}
	return list, closer, nil
}

func layoutEntries(src source) ([]Entry, error) {
	raw, err := member(src, "index.json")
	if err != nil {
		return nil, err
	}
	idx, err := indexOf(src, raw)
	if err != nil {
		return nil, err
	}
	return Entries(idx)
}

func member(src source, name string) ([]byte, error) {
	r, size, err := src.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readBounded(r, size, name)
}

func openArchive(name string) (_ []Entry, _ io.Closer, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	a, err := readArchive(file)
	if err != nil {
		return nil, nil, err
	}
	var list []Entry
	switch {
	case a.has("index.json"):
		list, err = layoutEntries(a)
	case a.has("manifest.json"):
		list, err = dockerEntries(a)
	default:
		err = &FormatError{Name: name}
	}
	return list, file, err
}

// DamagedError says that what is there cannot be read as images.
type DamagedError struct{ Err error }

func (e *DamagedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// Hint is the one thing to do.
func (e *DamagedError) Hint() string {
	return "what lies there is damaged, or is no image: build it again, or copy it again"
}

// damaged makes a DamagedError of an error that has no hint of its own.
func damaged(err error) error {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err
	}
	return &DamagedError{err}
}

// NoFileError says that nothing has the name.
type NoFileError struct{ Name string }

func (e *NoFileError) Error() string { return fmt.Sprintf("%s: no such file or folder", e.Name) }

// Unwrap lets errors.Is tell it as fs.ErrNotExist.
func (e *NoFileError) Unwrap() error { return fs.ErrNotExist }

// Hint says what can stand there.
func (e *NoFileError) Hint() string {
	return "give an OCI layout (a folder), an archive of one, or a reference such as debian:12"
}

// FormatError says that a file is no archive of images.
type FormatError struct {
	Name       string
	Compressed bool
	// Folder that is no layout.
	Folder bool
}

func (e *FormatError) Error() string {
	if e.Compressed {
		return "the archive is compressed"
	}
	if e.Folder {
		return "the folder is no OCI layout: it has no index.json"
	}
	return "neither an OCI archive nor one of docker save"
}

// Hint tells how to get a file that can be read.
func (e *FormatError) Hint() string {
	if e.Compressed {
		return "decompress it first (gunzip, unzstd)"
	}
	if e.Folder {
		return "name a layout, such as archbuild-out/NAME"
	}
	return "write one with -o type=oci,dest=FILE or with docker save"
}

// archive knows where in a tar each file lies, so that any number of readers
// can read at once and nothing is unpacked.
type archive struct {
	file    io.ReaderAt
	members map[string]extent
}

type extent struct {
	start, size int64
	link        string // of a symbolic or hard link: the member it leads to
}

func readArchive(file *os.File) (*archive, error) {
	a := &archive{file: file, members: map[string]extent{}}
	if err := refuseCompressed(file); err != nil {
		return nil, err
	}
	tr := tar.NewReader(file)
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		if len(a.members) >= maxMembers {
			return nil, fmt.Errorf("more than %d files", maxMembers)
		}
		// The tar reader reads whole headers and no byte more, so the file
		// stands where the content begins.
		start, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		a.add(header, start)
	}
}

func (a *archive) add(header *tar.Header, start int64) {
	name := path.Join("/", header.Name)[1:]
	switch header.Typeflag {
	case tar.TypeReg:
		a.members[name] = extent{start: start, size: header.Size}
	case tar.TypeSymlink:
		a.members[name] = extent{link: path.Join("/", path.Dir(name), header.Linkname)[1:]}
	case tar.TypeLink:
		a.members[name] = extent{link: path.Join("/", header.Linkname)[1:]}
	}
}

func refuseCompressed(file *os.File) error {
	var magic [4]byte
	n, err := file.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	gz, zst := n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b, n == 4 && string(magic[:]) == "\x28\xb5\x2f\xfd"
	if gz || zst {
		return &FormatError{Name: file.Name(), Compressed: true}
	}
	return nil
}

func (a *archive) has(name string) bool {
	_, ok := a.members[name]
	return ok
}

func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	for range 8 {
		m, ok := a.members[name]
		if !ok {
			return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if m.link == "" {
			return io.NopCloser(io.NewSectionReader(a.file, m.start, m.size)), m.size, nil
		}
		name = m.link
	}
	return nil, 0, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many links")}
}

// transports are what skopeo and podman write before a name on disk.
var transports = []string{"oci:", "oci-archive:", "docker-archive:", "oci-layout://"}

// LocalName tells whether a text names a layout or an archive on disk, rather
// than a reference, and which: what is there, or can be no reference.
func LocalName(text string) (name string, ok bool) {
	for _, t := range transports {
		if rest, found := strings.CutPrefix(text, t); found {
			return rest, true
		}
	}
	if strings.HasPrefix(text, "docker://") {
		return text, false
	}
	if IsLocal(text) || strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".tar") {
		return text, true
	}
	if strings.ContainsAny(text, ":@") {
		return text, false
	}
	// A name below a folder that is here is a path, also when it is misspelt.
	first, _, _ := strings.Cut(text, "/")
	info, err := os.Stat(first)
	return text, err == nil && info.IsDir()
}
