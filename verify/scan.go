package verify

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/program"
)

// Limits of one image. The largest images in use have about a million files.
const (
	maxEntries   = 2_000_000
	maxPath      = 4096
	maxPathBytes = 512 << 20
	maxUnpacked  = 64 << 30
	maxWindow    = 128 << 20 // zstd
)

// entry is what one file of a layer says, in the layer's order.
type entry struct {
	// Path is clean, absolute and without the whiteout prefix.
	Path string    `json:"p"`
	Kind entryKind `json:"k"`
	// Link is where a link leads.
	Link    string           `json:"l,omitempty"`
	Exec    bool             `json:"x,omitempty"`
	Program *program.Program `json:"g,omitempty"`
}

type entryKind byte

const (
	kindFile     entryKind = 'f'
	kindDir      entryKind = 'd'
	kindSymlink  entryKind = 's'
	kindHardlink entryKind = 'h'
	kindOther    entryKind = 'o' // device, pipe
	kindWhiteout entryKind = 'w' // removes Path of lower layers
	kindOpaque   entryKind = 'q' // removes what lower layers have below Path
)

// scan is what a layer holds, and the digest of what it unpacks to.
type scan struct {
	entries  []entry
	unpacked v1.Hash
}

func entriesOf(scans []scan) [][]entry {
	list := make([][]entry, len(scans))
	for i, s := range scans {
		list[i] = s.entries
	}
	return list
}

// scanner reads layers and counts what they cost together.
type scanner struct {
	wantARM  bool
	windows  bool
	maxBytes int64
	shared   *sharedLayers

	entries, pathBytes, bytes atomic.Int64
}

// LimitError says that an image is larger than what is looked at.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return "the image has more than " + e.What }

// Hint tells what that usually means.
func (e *LimitError) Hint() string {
	return "an image like this is damaged or hostile; a build takes it all the same with --verify=off"
}

// layers reads layers at the same time; the results keep their order.
func (s *scanner) layers(ctx context.Context, list []v1.Layer) ([]scan, error) {
	results := make([]scan, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range list {
		group.Go(func() error {
			result, err := s.shared.get(ctx, s, l)
			if err != nil {
				digest, _ := l.Digest()
				return fmt.Errorf("reading layer %s: %w", digest, err)
			}
			results[i] = result
			return nil
		})
	}
	return results, group.Wait()
}

func (s *scanner) layer(ctx context.Context, l v1.Layer) (scan, error) {
	compressed, err := l.Compressed()
	if err != nil {
		return scan{}, err
	}
	defer compressed.Close()
	buffered := bufio.NewReaderSize(&interruptible{ctx, compressed}, 64<<10)
	plain, done, err := decompress(buffered)
	if err != nil {
		return scan{}, err
	}
	defer done()
	sum := sha256.New()
	bounded := &counted{io.TeeReader(plain, sum), s}
	list, err := s.tar(bounded)
	if err != nil {
		return scan{}, err
	}
	// To the very end: only there a reader can tell that the digest is right.
	if _, err = io.Copy(io.Discard, bounded); err == nil {
		_, err = io.Copy(io.Discard, buffered)
	}
	return scan{list, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}}, err
}

// decompress tells the compression by the first bytes, as runtimes do: media
// types are not always true.
func decompress(r *bufio.Reader) (io.Reader, func(), error) {
	magic, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case string(magic) == "\x28\xb5\x2f\xfd" || (len(magic) == 4 && magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

func (s *scanner) tar(r *counted) ([]entry, error) {
	var list []entry
	tr := tar.NewReader(r)
	// Counted a second time: the holes of a sparse file are no bytes of the layer.
	content, buffer := &counted{tr, s}, make([]byte, program.BufferSize)
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if err := s.count(header); err != nil {
			return nil, err
		}
		e, ok := s.entry(header)
		if !ok {
			continue
		}
		if e.Kind == kindFile {
			e.Program, err = program.Read(content, buffer, path.Base(e.Path), header.Size, s.wantARM)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", printable(e.Path), err)
			}
		}
		list = append(list, e)
	}
}

func (s *scanner) count(header *tar.Header) error {
	if len(header.Name) > maxPath || len(header.Linkname) > maxPath {
		return &LimitError{fmt.Sprintf("%d bytes in a path", maxPath)}
	}
	if s.entries.Add(1) > maxEntries {
		return &LimitError{fmt.Sprintf("%d files", maxEntries)}
	}
	if header.Typeflag == tar.TypeReg && header.Size > s.maxBytes-s.bytes.Load() { // known before it is unpacked
		return &LimitError{fmt.Sprintf("%d bytes unpacked", s.maxBytes)}
	}
	if s.pathBytes.Add(int64(len(header.Name)+len(header.Linkname))) > maxPathBytes {
		return &LimitError{fmt.Sprintf("%d bytes of paths", maxPathBytes)}
	}
	return nil
}

// entry reads a header; ok is false for what says nothing about the root.
func (s *scanner) entry(header *tar.Header) (e entry, ok bool) {
	name := path.Join("/", header.Name)
	if s.windows {
		// Layers of Windows keep the root in Files and the registry in Hives.
		var found bool
		if name, found = strings.CutPrefix(name, "/Files"); !found || (name != "" && name[0] != '/') {
			return entry{}, false
		}
		name = path.Join("/", name)
	}
	dir, base := path.Split(name)
	switch {
	case base == ".wh..wh..opq":
		return entry{Path: path.Clean(dir), Kind: kindOpaque}, true
	case strings.HasPrefix(base, ".wh..wh."):
		return entry{}, false // bookkeeping of AUFS
	case strings.HasPrefix(base, ".wh."):
		return entry{Path: path.Join(dir, base[len(".wh."):]), Kind: kindWhiteout}, base != ".wh."
	}
	e = entry{Path: name, Kind: kindOther, Exec: header.Mode&0o111 != 0}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		e.Kind = kindFile
	case tar.TypeDir:
		e.Kind = kindDir
	case tar.TypeSymlink:
		e.Kind, e.Link = kindSymlink, header.Linkname
	case tar.TypeLink:
		e.Kind, e.Link = kindHardlink, path.Join("/", header.Linkname)
		if s.windows {
			e.Link = path.Join("/", strings.TrimPrefix(e.Link, "/Files"))
		}
	}
	return e, name != "/"
}

// counted adds what is read to the scanner's count of bytes.
type counted struct {
	io.Reader
	s *scanner
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.s.bytes.Add(int64(n)) > c.s.maxBytes {
		return n, &LimitError{fmt.Sprintf("%d bytes unpacked", c.s.maxBytes)}
	}
	return n, err
}

// interruptible ends reading when the context ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
