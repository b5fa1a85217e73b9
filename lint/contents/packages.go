package contents

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
)

var errPackage = errors.New("it is no package")

// deb looks into a package of Debian's: an ar archive, in which data.tar holds the files.
// Format: deb(5).
func (l *look) deb(from io.Reader, name, prefix string, depth int) error {
	if _, err := io.CopyN(io.Discard, from, int64(len("!<arch>\n"))); err != nil {
		return err
	}
	for {
		var header [60]byte
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(header[48:58])), 10, 64)
		if err != nil || size < 0 {
			return errPackage
		}
		if bytes.HasPrefix(header[:], []byte("data.tar")) {
			return l.payload(io.LimitReader(from, size), name, prefix, depth)
		}
		if _, err := io.CopyN(io.Discard, from, size+size%2); err != nil {
			return err
		}
	}
}

// rpm looks into a package of RPM: a lead, two headers and a compressed cpio archive.
// Format: https://rpm-software-management.github.io/rpm/manual/format_v4.html
func (l *look) rpm(from io.Reader, name, prefix string, depth int) error {
	const lead = 96
	if _, err := io.CopyN(io.Discard, from, lead); err != nil {
		return err
	}
	for _, align := range []int64{8, 1} { // the signature is padded
		var header [16]byte
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return err
		}
		if !bytes.HasPrefix(header[:], []byte("\x8e\xad\xe8\x01")) {
			return errPackage
		}
		size := int64(binary.BigEndian.Uint32(header[8:]))*16 + int64(binary.BigEndian.Uint32(header[12:]))
		size = (size + align - 1) / align * align
		if _, err := io.CopyN(io.Discard, from, size); err != nil {
			return err
		}
	}
	return l.payload(from, name, prefix, depth)
}

// payload looks into what a package holds, by its first bytes.
func (l *look) payload(from io.Reader, name, prefix string, depth int) error {
	buffered := bufio.NewReaderSize(from, 32<<10)
	head, err := buffered.Peek(headSize)
	if len(head) == 0 {
		return err
	}
	switch k := sniff(head); k {
	case kindTar:
		return l.tar(buffered, prefix, depth)
	case kindCpio:
		return l.cpio(buffered, prefix, depth)
	case kindGzip, kindXz, kindZstd, kindBzip2:
		return l.compressed(buffered, k, name, prefix, depth)
	}
	return errUnknown
}

// cpio looks at the files of a cpio archive in the format "newc", whose numbers are eight
// hexadecimal digits each. Format: cpio(5).
func (l *look) cpio(from io.Reader, prefix string, depth int) error {
	const mode, fileSize, nameSize = 1, 6, 11
	for {
		if err := l.pay(costEntry); err != nil {
			return err
		}
		var header [110]byte
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return err
		}
		if magic := string(header[:6]); magic != "070701" && magic != "070702" {
			return errUnknown
		}
		var numbers [13]int64
		for i := range numbers {
			n, err := strconv.ParseUint(string(header[6+i*8:14+i*8]), 16, 32)
			if err != nil {
				return err
			}
			numbers[i] = int64(n)
		}
		if numbers[nameSize] < 1 || numbers[nameSize] > maxName {
			return errPackage
		}
		name := make([]byte, numbers[nameSize]+padding(int64(len(header))+numbers[nameSize]))
		if _, err := io.ReadFull(from, name); err != nil {
			return err
		}
		text := string(name[:numbers[nameSize]-1])
		if text == "TRAILER!!!" {
			return nil
		}
		content := &io.LimitedReader{R: from, N: numbers[fileSize]}
		const kindMask, regular = 0o170000, 0o100000
		if numbers[mode]&kindMask == regular {
			if err := l.file(source{content, nil, numbers[fileSize]}, prefix+clean(text), depth); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(io.Discard, from, content.N+padding(numbers[fileSize])); err != nil {
			return err
		}
	}
}

// padding brings a length to a multiple of four.
func padding(n int64) int64 { return -n & 3 }
