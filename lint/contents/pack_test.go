package contents_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// part is a file of an archive; one with a target is a link.
type part struct {
	name   string
	body   []byte
	target string
}

func tarOf(t testing.TB, parts ...part) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, p := range parts {
		h := &tar.Header{Name: p.name, Mode: 0o755, Size: int64(len(p.body)), Typeflag: tar.TypeReg}
		if p.target != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, p.target
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// cut is a tar without the end: what Alpine's packages begin with.
func cut(archive []byte) []byte { return archive[:len(archive)-1024] }

func gzipOf(t testing.TB, members ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, m := range members {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(m); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func zstdOf(t testing.TB, body []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(body, nil)
}

// zipped packs parts as they are, or compressed.
func zipped(t testing.TB, method uint16, parts ...part) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range parts {
		f, err := w.CreateHeader(&zip.FileHeader{Name: p.name, Method: method})
		if err == nil {
			_, err = f.Write(p.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// arOf is the archive that a Debian package is.
func arOf(parts ...part) []byte {
	out := bytes.NewBufferString("!<arch>\n")
	for _, p := range parts {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", p.name, 0, 0, 0, 0o100644, len(p.body))
		out.Write(p.body)
		if len(p.body)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// cpioOf is what an RPM holds.
func cpioOf(parts ...part) []byte {
	var out bytes.Buffer
	for _, p := range append(parts, part{name: "TRAILER!!!"}) {
		mode := 0o100755
		if p.target != "" {
			mode, p.body = 0o120777, []byte(p.target)
		}
		fmt.Fprintf(&out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0, 0, 1, 0, len(p.body), 0, 0, 0, 0, len(p.name)+1, 0)
		out.WriteString(p.name + "\x00")
		out.Write(make([]byte, -out.Len()&3))
		out.Write(p.body)
		out.Write(make([]byte, -out.Len()&3))
	}
	return out.Bytes()
}

// rpmOf is a lead, a signature with an entry of odd length, a header and a payload.
func rpmOf(payload []byte) []byte {
	lead := make([]byte, 96)
	copy(lead, "\xed\xab\xee\xdb\x03\x00")
	header := func(store string) []byte {
		b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00\x00\x00\x00\x01")
		b = binary.BigEndian.AppendUint32(b, uint32(len(store)))
		return append(append(b, make([]byte, 16)...), store...)
	}
	signature := header("signed")
	out := append(lead, append(signature, make([]byte, -len(signature)&7)...)...)
	return append(append(out, header("a name")...), payload...)
}

// Archives that hold usr/bin/tool for amd64, as bzip2 and xz have made them; the last with
// the filter for programs of a PC before it.
const (
	tarBzip2  = "QlpoOTFBWSZTWfTSQ6sAAIv/kP6CAEBAAPqBAwQEAHAlngCEAAAIIAB0GimJoAMmjRo0xAySZPUB6gAAAT7sbsryCBCMEEi9AK4XIF6Z1CkAiVHNlAh5mAuLUgBxgi6rcYJDzc9jFWrFIQQOYRlI07CoSm1tAoJunT7IiID8XckU4UJD00kOrA=="
	tarXz     = "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AHhdADqcyosJHgFeUOes/XGmgsib6/g7iT0krnIsIBPV9Gick2rTLdSbnJKp8DKAjHCIG9C8LO1+Sg8q3oTISu8broeDtnZHMYlaLAANX5TzoR4HvbGJZYiwRdpL9JeVugnD2ErRZVXYPVCjWDq1QUtxxMR9wrAKT/XwAAAx95gkm3FSMgABlAGAUAAAszEn+bHEZ/sCAAAAAARZWg=="
	tarFilter = "/Td6WFoAAATm1rRGAgEEACEBFgANhjUf4Cf/AHhdADqcyosJHgFeUOes/XGmgsib6/g7iT0krnIsIBPV9Gick2rTLdSbnJKp8DKAjHCIG9C8LO1+Sg8q3oTISu8broeDtnZHMYlaLAANX5TzoR4HvbGJZYiwRdpL9JeVugnD2ErRZVXYPVCjWDq1QUtxxMR9wrAKT/XwAAAx95gkm3FSMgABlAGAUAAAszEn+bHEZ/sCAAAAAARZWg=="
)

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
