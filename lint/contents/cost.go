package contents

import (
	"context"
	"errors"
	"io"
)

// What a look may cost. The unit is the time that a byte of gzip takes, about three nanoseconds.
const (
	// maxArchive is for one file of the context, maxAll for all of them together.
	maxArchive = 1 << 30
	maxAll     = 4 * maxArchive
	// What an entry costs besides its bytes: in a tar, and in a zip, where each is opened.
	costEntry = 2048
	costOpen  = 4096
	// How much more a byte of these costs.
	costXz, costBzip2 = 6, 8
)

// What a look may hold in memory.
const (
	// maxBuffered is the longest zip in an archive, in bytes.
	maxBuffered = 64 << 20
	// maxWindow is that of xz and zstd, in bytes.
	maxWindow = 128 << 20
	// maxDirectory is the longest directory of a zip, in bytes.
	maxDirectory = 16 << 20
	// maxName is the longest path in an archive, in bytes.
	maxName = 4096
	// maxPrograms are kept of one archive.
	maxPrograms = 20_000
)

var (
	// errCost ends the look into one file of the context.
	errCost = errors.New("it is too long to be looked at whole")
	// errDirectory ends the look into a zip.
	errDirectory = errors.New("it has too many files")
)

// purse pays for one file of the context.
type purse struct {
	ctx   context.Context
	spent int64
}

func (p *purse) pay(cost int64) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.spent += cost; p.spent > maxArchive {
		return errCost
	}
	return nil
}

// paid is a reader each of whose bytes costs something.
type paid struct {
	io.Reader
	*purse
	each int64
}

func (r *paid) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if short := r.pay(int64(n) * r.each); short != nil {
		return n, short
	}
	return n, err
}

// paidAt is a file that costs something where it is read.
type paidAt struct {
	io.ReaderAt
	*purse
	// left is how many bytes may be read.
	left int64
}

func (r *paidAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, at)
	if short := r.pay(int64(n)); short != nil {
		return n, short
	}
	if r.left -= int64(n); r.left < 0 {
		return n, errDirectory
	}
	return n, err
}
