package contents

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"github.com/archbuild/archbuild/internal/program"
)

// kind of archive, by its first bytes.
type kind string

const (
	kindNone  kind = ""
	kindGzip  kind = "gzip"
	kindXz    kind = "xz"
	kindZstd  kind = "zstd"
	kindBzip2 kind = "bzip2"
	kindTar   kind = "tar"
	kindCpio  kind = "cpio"
	kindZip   kind = "zip"
	kindDeb   kind = "deb"
	kindRPM   kind = "rpm"
)

// maxDepth is how many archives a file may lie in and still be looked at.
const maxDepth = 2

// headSize is enough for all of them.
const headSize = 512

// magics are how archives begin; a tar has its own way.
var magics = []struct {
	begin string
	kind  kind
}{
	{"\x1f\x8b\x08", kindGzip}, {"\xfd7zXZ\x00", kindXz}, {"\x28\xb5\x2f\xfd", kindZstd}, {"BZh", kindBzip2},
	{"PK\x03\x04", kindZip}, {"!<arch>\ndebian-binary", kindDeb}, {"\xed\xab\xee\xdb", kindRPM}, {"070701", kindCpio}, {"070702", kindCpio},
}

func sniff(head []byte) kind {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.begin)) {
			if m.kind == kindBzip2 && (len(head) < 4 || head[3] < '1' || head[3] > '9') {
				return kindNone
			}
			return m.kind
		}
	}
	if isTar(head) {
		return kindTar
	}
	return kindNone
}

// isTar tells a header by its checksum, which is older than the word "ustar".
func isTar(head []byte) bool {
	if len(head) < headSize || head[0] == 0 {
		return false
	}
	const from, to = 148, 156
	var want, sum, signed int64
	for i, b := range head[:headSize] {
		if i >= from && i < to {
			b = ' '
		}
		sum, signed = sum+int64(b), signed+int64(int8(b))
	}
	digits := bytes.Trim(head[from:to], " \x00")
	for _, b := range digits {
		if b < '0' || b > '7' {
			return false
		}
		want = want*8 + int64(b-'0')
	}
	return len(digits) > 0 && (want == sum || want == signed)
}

// source is a file, in the context or in an archive.
type source struct {
	io.Reader
	// at is the same file, where one can read anywhere in it; else nil.
	at io.ReaderAt
	// size in bytes, as somebody says; -1 is not known.
	size int64
}

// inside is a program or a link, and where it lies in a file of the context.
type inside struct {
	name    string
	program program.Program
	target  string
}

// look is the look into one file of the context.
type look struct {
	purse
	wantARM bool
	// wantLinks tells that links in an archive are of interest.
	wantLinks bool
	programs  []inside
	links     []inside
	// outer is what the file is itself, and tarred whether there is a tar in it, as far as
	// those who unpack it see.
	outer  kind
	tarred bool
	// why something was not looked into; the first reason.
	why     string
	scratch *scratch
}

// scratch is memory that one look after the other uses. The heads of files are each a
// depth's own: while an archive is read, its head is read from.
type scratch struct {
	program [program.BufferSize]byte
	heads   [maxDepth + 1][headSize]byte
}

// unpacked tells whether ADD unpacks it.
func (l *look) unpacked() bool {
	switch l.outer {
	case kindTar, kindGzip, kindXz, kindZstd, kindBzip2:
		return l.tarred
	}
	return false
}

func newLook(ctx context.Context, wantARM, wantLinks bool, memory *scratch) *look {
	return &look{purse: purse{ctx: ctx}, wantARM: wantARM, wantLinks: wantLinks, scratch: memory}
}

// note keeps the first reason why something was not looked into.
func (l *look) note(inside, why string) {
	if l.why == "" && inside != "" {
		why = fmt.Sprintf("%s in it: %s", strings.TrimSuffix(inside, "!"), why)
	}
	if l.why == "" {
		l.why = why
	}
}

// file looks at one file. name is its path, of which the last word tells libraries; depth is
// how many archives it lies in. The error ends the look.
func (l *look) file(from source, name string, depth int) error {
	space := l.scratch.heads[depth][:]
	n, err := io.ReadFull(from, space)
	head := space[:n]
	if isFatal(err) {
		return err
	}
	from.Reader = io.MultiReader(bytes.NewReader(head), from.Reader)
	k := sniff(head)
	prefix := ""
	switch {
	case k == kindNone:
		return l.program(from, name, n, depth)
	case depth == 0:
		l.outer = k
	case depth >= maxDepth:
		l.note(name, "it is an archive in an archive in an archive")
		return nil
	default:
		prefix = name + "!"
	}
	err = l.archive(from, k, name, prefix, depth+1)
	if err == nil || isFatal(err) {
		return err
	}
	l.note(prefix, reason(err))
	return nil
}

// program looks whether a file is one. n is how many bytes of it there are surely.
func (l *look) program(from source, name string, n, depth int) error {
	size := int64(n)
	if n >= headSize {
		size = math.MaxInt64
		if from.size >= 0 {
			size = from.size
		}
	}
	p, err := program.Read(from, l.scratch.program[:], path.Base(name), size, l.wantARM)
	if isFatal(err) {
		return err
	}
	if err != nil || p == nil || p.Format == program.Script {
		return nil
	}
	if len(l.programs) == maxPrograms {
		return errCost
	}
	if depth == 0 {
		name = ""
	}
	l.programs = append(l.programs, inside{name: name, program: *p})
	return nil
}

// archive looks at what is in an archive.
func (l *look) archive(from source, k kind, name, prefix string, depth int) error {
	from.Reader = &paid{from.Reader, &l.purse, 1}
	switch k {
	case kindZip:
		return l.zip(from, prefix, depth)
	case kindTar:
		l.tarred = l.tarred || depth == 1
		if from.at != nil && from.size >= 0 {
			return l.tar(io.NewSectionReader(&paidAt{from.at, &l.purse, math.MaxInt64}, 0, from.size), prefix, depth)
		}
		return l.tar(from, prefix, depth)
	case kindCpio:
		return l.cpio(from, prefix, depth)
	case kindDeb:
		return l.deb(from, name, prefix, depth)
	case kindRPM:
		return l.rpm(from, name, prefix, depth)
	}
	return l.compressed(from, k, name, prefix, depth)
}

// compressed looks into one compressed file: most hold an archive.
func (l *look) compressed(from io.Reader, k kind, name, prefix string, depth int) error {
	plain, done, err := l.decompress(bufio.NewReaderSize(from, 32<<10), k)
	if err != nil {
		return err
	}
	defer done()
	buffered := bufio.NewReaderSize(plain, 4*headSize)
	head, err := buffered.Peek(headSize)
	if len(head) == 0 {
		return err
	}
	switch sniff(head) {
	case kindTar:
		l.tarred = l.tarred || depth == 1
		return l.tar(buffered, prefix, depth)
	case kindCpio:
		return l.cpio(buffered, prefix, depth)
	}
	base := path.Base(name)
	return l.program(source{buffered, nil, -1}, prefix+strings.TrimSuffix(base, path.Ext(base)), len(head), depth)
}

func (l *look) decompress(from io.Reader, k kind) (plain io.Reader, done func(), err error) {
	done = func() {}
	each := int64(1)
	switch k {
	case kindGzip:
		plain, err = gzip.NewReader(from)
	case kindXz:
		each = costXz
		plain, err = xz.NewReader(from, maxWindow)
	case kindBzip2:
		each = costBzip2
		plain = bzip2.NewReader(from)
	case kindZstd:
		var z *zstd.Decoder
		z, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			plain, done = z, z.Close
		}
	default:
		err = errUnknown
	}
	return &paid{plain, &l.purse, each}, done, err
}

// isFatal tells the errors that end the look into a file of the context.
func isFatal(err error) bool {
	return errors.Is(err, errCost) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// reason is an error as a clause.
func reason(err error) string {
	switch {
	case errors.Is(err, errCost), errors.Is(err, errDirectory), errors.Is(err, errLong), errors.Is(err, errUnknown):
		return err.Error()
	}
	return "it is damaged, or no archive"
}
