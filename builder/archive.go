package builder

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Archive is a tar archive that serves as a build context. It is not unpacked: the
// files are read where they lie in it, as often as a platform asks, and a node is
// offered them just as those of a folder are. So it builds to the same image.
type Archive struct {
	file io.ReaderAt
	// digest of the archive, decompressed; empty where there is none.
	digest  digest.Digest
	entries map[string]*archived
	// folders are the names in each folder.
	folders map[string][]string
	close   func()
}

// archived is one file of an archive.
type archived struct {
	stat   *fstypes.Stat
	offset int64
	// links are how many names the file has.
	links int
}

// ArchiveHead is how many bytes tell an archive from other files.
const ArchiveHead = 1024

var compressions = map[string][]byte{
	"bzip2": []byte("BZh"), "gzip": {0x1f, 0x8b, 0x08}, "xz": {0xfd, '7', 'z', 'X', 'Z', 0}, "zstd": {0x28, 0xb5, 0x2f, 0xfd},
}

// IsArchive says whether a file that begins so is a tar archive, or compressed.
func IsArchive(head []byte) bool {
	if compression(head) != "" {
		return true
	}
	// An archive can begin with a header about the next one, which the head does not hold.
	const at, magic = 257, "ustar"
	if len(head) > at && bytes.HasPrefix(head[at:], []byte(magic)) {
		return true
	}
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return err == nil
}

func compression(head []byte) string {
	for name, magic := range compressions {
		if bytes.HasPrefix(head, magic) {
			return name
		}
	}
	return ""
}

// EmptyArchive is a context without files.
func EmptyArchive() *Archive {
	return &Archive{entries: map[string]*archived{}, folders: map[string][]string{".": nil}, close: func() {}}
}

// OpenArchive reads an archive to its end. What it holds is kept in a file in
// folder that has no name any more, so nothing is left of it when the program ends,
// however it ends. The caller calls Close. An error is an *ArchiveError.
func OpenArchive(ctx context.Context, from io.Reader, folder string) (*Archive, error) {
	plain, done, err := decompressed(from)
	if err != nil {
		return nil, err
	}
	defer done()
	file, err := nameless(folder)
	if err != nil {
		return nil, err
	}
	sum := digest.Canonical.Digester()
	if _, err = io.Copy(io.MultiWriter(file, sum.Hash()), contextReader{ctx, plain}); err != nil {
		file.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &ArchiveError{err}
	}
	a := EmptyArchive()
	a.file, a.digest, a.close = file, sum.Digest(), func() { file.Close() }
	if err := a.index(file); err != nil {
		file.Close()
		return nil, &ArchiveError{err}
	}
	return a, nil
}

// Close gives the space back.
func (a *Archive) Close() { a.close() }

// Files are those in the archive, to be read.
func (a *Archive) Files() fs.FS { return newTree(a) }

// ArchiveError says that what should be a tar archive is none, or is broken.
type ArchiveError struct{ Err error }

func (e *ArchiveError) Error() string { return fmt.Sprintf("reading the tar archive: %v", e.Err) }

// Unwrap gives the cause.
func (e *ArchiveError) Unwrap() error { return e.Err }

// Hint is how to look at it.
func (e *ArchiveError) Hint() string {
	if errors.Is(e.Err, errXz) {
		return "let xz do it: xz -dc FILE | archbuild -"
	}
	if errors.Is(e.Err, errSparse) {
		return "make the archive without --sparse"
	}
	return "look whether tar reads it: tar -tf FILE"
}

var (
	errXz     = errors.New("it is compressed by xz, which archbuild does not read")
	errSparse = errors.New("it holds a sparse file")
	errEmpty  = errors.New("it holds no file")
)

// decompressed is the archive itself.
func decompressed(from io.Reader) (plain io.Reader, done func(), err error) {
	buffered := bufio.NewReaderSize(from, 64<<10)
	head, err := buffered.Peek(ArchiveHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, &ArchiveError{err}
	}
	done = func() {}
	switch compression(head) {
	case "":
		return buffered, done, nil
	case "bzip2":
		return bzip2.NewReader(buffered), done, nil
	case "gzip":
		plain, err = gzip.NewReader(buffered)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1)); err == nil {
			plain, done = z, z.Close
		}
	default:
		err = errXz
	}
	if err != nil {
		return nil, nil, &ArchiveError{err}
	}
	return plain, done, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// index notes where every file lies. The last entry of a name counts.
func (a *Archive) index(file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	entries := tar.NewReader(file)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		// The reader takes headers block by block, so the file stands where the content begins.
		at, err := file.Seek(0, io.SeekCurrent)
		if err == nil {
			err = a.add(h, at)
		}
		if err != nil {
			return err
		}
	}
	if len(a.entries) == 0 {
		return errEmpty
	}
	for folder := range a.folders {
		slices.Sort(a.folders[folder])
	}
	return nil
}

func (a *Archive) add(h *tar.Header, at int64) error {
	name := inside(h.Name)
	if isSparse(h) {
		return fmt.Errorf("%s: %w", h.Name, errSparse)
	}
	if name == "." {
		return nil
	}
	entry := &archived{offset: at, links: 1, stat: &fstypes.Stat{
		Path: path.Base(name), Mode: uint32(h.FileInfo().Mode()), Size: h.Size, ModTime: h.ModTime.UnixNano(),
		Devmajor: h.Devmajor, Devminor: h.Devminor, Xattrs: xattrs(h),
	}}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeDir, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeSymlink:
		entry.stat.Linkname = h.Linkname
	case tar.TypeLink:
		target, ok := a.entries[inside(h.Linkname)]
		if !ok {
			return fmt.Errorf("%s is a link to %s, which is not there", h.Name, h.Linkname)
		}
		if !fs.FileMode(target.stat.Mode).IsRegular() { // one more of its kind: only names of plain files are sent as links
			again := *target
			entry = &again
			break
		}
		target.links++
		entry = target
	default: // a header for other files
		return nil
	}
	a.put(name, entry)
	return nil
}

// isSparse says whether the archive leaves parts of a file out; each version of the
// kind has a record of its own.
func isSparse(h *tar.Header) bool {
	_, major := h.PAXRecords["GNU.sparse.major"]
	_, old := h.PAXRecords["GNU.sparse.map"]
	return major || old || h.Typeflag == tar.TypeGNUSparse
}

// put enters a file, with the folders above it, in the place of what was there.
func (a *Archive) put(name string, entry *archived) {
	dir := path.Dir(name)
	if above, ok := a.entries[dir]; dir != "." && (!ok || !fs.FileMode(above.stat.Mode).IsDir()) {
		a.put(dir, &archived{links: 1, stat: &fstypes.Stat{Path: path.Base(dir), Mode: uint32(fs.ModeDir | 0o755)}})
	}
	if _, ok := a.entries[name]; !ok {
		a.folders[dir] = append(a.folders[dir], name)
	}
	if !fs.FileMode(entry.stat.Mode).IsDir() {
		a.drop(name)
	} else if _, ok := a.folders[name]; !ok {
		a.folders[name] = nil
	}
	a.entries[name] = entry
}

// drop takes out what is in a folder that is none any more.
func (a *Archive) drop(folder string) {
	for _, name := range a.folders[folder] {
		a.drop(name)
		delete(a.entries, name)
	}
	delete(a.folders, folder)
}

// inside is a path as the context has it; none leads out of it.
func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

func xattrs(h *tar.Header) map[string][]byte {
	const prefix = "SCHILY.xattr."
	var found map[string][]byte
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			if found == nil {
				found = map[string][]byte{}
			}
			found[name] = []byte(h.PAXRecords[key])
		}
	}
	return found
}

func (a *Archive) list(folder string) ([]*fstypes.Stat, error) {
	var list []*fstypes.Stat
	for _, name := range a.folders[folder] {
		stat := a.entries[name].stat.CloneVT()
		stat.Path = path.Base(name)
		list = append(list, stat)
	}
	return list, nil
}

func (a *Archive) open(name string) (io.Reader, error) {
	entry := a.entries[name]
	return io.NewSectionReader(a.file, entry.offset, entry.stat.Size), nil
}

// archiveFS offers an archive to a node.
type archiveFS struct{ *Archive }

// offer is an archive as the node sees it: without rewritten Dockerfiles. Every file is root's.
func (a *Archive) offer(leftOut []string) fsutil.FS {
	mapped, err := fsutil.NewFilterFS(archiveFS{a}, &fsutil.FilterOpt{Map: func(name string, stat *fstypes.Stat) fsutil.MapResult {
		if slices.Contains(leftOut, name) {
			return fsutil.MapResultExclude
		}
		stat.Uid, stat.Gid = 0, 0
		return fsutil.MapResultKeep
	}})
	if err != nil { // only patterns can be wrong, and there are none
		return archiveFS{a}
	}
	return mapped
}

// Walk visits what is below target, folders before what is in them, in the order
// that fsutil requires. Of several names of one file, those after the first are links to that.
func (f archiveFS) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	return f.walk(ctx, inside(target), map[*archived]string{}, fn)
}

func (f archiveFS) walk(ctx context.Context, name string, seen map[*archived]string, fn fs.WalkDirFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name != "." {
		entry, ok := f.entries[name]
		if !ok {
			return nil
		}
		stat := entry.stat.CloneVT()
		stat.Path = name
		if first, again := seen[entry]; again {
			stat.Linkname, stat.Size = first, 0
		} else if entry.links > 1 {
			seen[entry] = name
		}
		err := fn(name, &fsutil.DirEntryInfo{Stat: stat}, nil)
		if errors.Is(err, fs.SkipDir) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	for _, below := range f.folders[name] {
		if err := f.walk(ctx, below, seen, fn); err != nil {
			return err
		}
	}
	return nil
}

// Open gives the content of one file.
func (f archiveFS) Open(name string) (io.ReadCloser, error) {
	entry, ok := f.entries[inside(name)]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(io.NewSectionReader(f.file, entry.offset, entry.stat.Size)), nil
}
