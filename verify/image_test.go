package verify_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/archbuild/archbuild/platform"
)

// file is one entry of a layer. Without a type it is a regular file.
type file struct {
	name string
	mode int64
	body []byte
	link string
	kind byte
}

func exe(name string, body []byte) file  { return file{name: name, mode: 0o755, body: body} }
func data(name string, body []byte) file { return file{name: name, mode: 0o644, body: body} }
func symlink(name, to string) file {
	return file{name: name, link: to, kind: tar.TypeSymlink, mode: 0o777}
}
func hardlink(name, to string) file { return file{name: name, link: to, kind: tar.TypeLink} }
func dir(name string) file          { return file{name: name, kind: tar.TypeDir, mode: 0o755} }
func whiteout(name string) file     { return data(name, nil) }
func script(name, line string) file { return exe(name, []byte("#!"+line+"\nexec \"$@\"\n")) }

// tarOf writes a layer's plain bytes.
func tarOf(t testing.TB, files []file) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.body)), Typeflag: f.kind, Linkname: f.link}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, plain []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(plain, nil)
}

func layerOf(t testing.TB, files ...file) v1.Layer {
	return static.NewLayer(gzipOf(t, tarOf(t, files)), types.OCILayer)
}

// unpacking knows the digest of what a layer unpacks to; those of package static take their own for it.
type unpacking struct{ v1.Layer }

func (u unpacking) DiffID() (v1.Hash, error) {
	packed, err := u.Compressed()
	if err != nil {
		return v1.Hash{}, err
	}
	all, err := io.ReadAll(packed)
	if err != nil {
		return v1.Hash{}, err
	}
	var plain io.Reader = bytes.NewReader(all)
	switch { // frames of zstd that are to be skipped begin with other bytes
	case bytes.HasPrefix(all, []byte("\x1f\x8b")):
		plain, err = gzip.NewReader(plain)
	case bytes.Contains(all[:min(len(all), 32)], []byte("\x28\xb5\x2f\xfd")):
		plain, err = zstd.NewReader(plain)
	}
	if err != nil {
		return u.Layer.DiffID() // it is broken on purpose
	}
	hash, _, err := v1.SHA256(plain)
	if err != nil {
		return u.Layer.DiffID()
	}
	return hash, nil
}

// imageOf puts layers together. The config's platform is that of the label
// unless config says otherwise.
func imageOf(t testing.TB, label platform.Platform, config v1.ConfigFile, layers ...v1.Layer) v1.Image {
	if config.OS == "" {
		config.OS, config.Architecture, config.Variant = label.OS, label.Arch, label.Variant
	}
	adds := make([]mutate.Addendum, len(layers))
	for i, l := range layers {
		mt, err := l.MediaType()
		if err != nil {
			t.Fatal(err)
		}
		adds[i] = mutate.Addendum{Layer: unpacking{l}, MediaType: mt}
	}
	img, err := mutate.ConfigFile(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), &config)
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.Append(img, adds...); err != nil {
		t.Fatal(err)
	}
	return img
}

// header is an ELF file that is nothing but its header.
type header struct {
	machine uint16
	bits    int
	big     bool
	kind    uint16 // 2 (executable) when 0
	flags   uint32
	system  byte
}

func (h header) bytes() []byte {
	b := make([]byte, 128)
	copy(b, "\x7fELF")
	var order binary.ByteOrder = binary.LittleEndian
	b[4], b[5], b[6], b[7] = byte(h.bits/32), 1, 1, h.system
	if h.big {
		order, b[5] = binary.BigEndian, 2
	}
	if h.kind == 0 {
		h.kind = 2
	}
	order.PutUint16(b[16:], h.kind)
	order.PutUint16(b[18:], h.machine)
	order.PutUint32(b[20:], 1)
	if h.bits == 32 {
		order.PutUint32(b[36:], h.flags)
	} else {
		order.PutUint32(b[48:], h.flags)
	}
	return b
}

// elfFor is a program of a platform, by the platform's own facts.
func elfFor(p string) []byte {
	n := platform.MustParse(p).Names()
	return header{machine: n.Machine, bits: n.Bits, big: n.BigEndian}.bytes()
}

// armELF is a program with build attributes that ask for a CPU architecture
// (Tag_CPU_arch) and profile, with padding where code would be.
func armELF(arch, profile byte, hard bool, padding int) []byte {
	h := header{machine: 40, bits: 32, flags: 0x5000000}
	if hard {
		h.flags |= 0x400
	}
	b := append(h.bytes(), make([]byte, padding)...)
	tags := []byte{5, '7', '-', 'A', 0, 6, arch, 7, profile, 67, '2', 0, 10, 3}
	le := binary.LittleEndian
	own := append(le.AppendUint32([]byte{1}, uint32(5+len(tags))), tags...)
	vendor := append([]byte("aeabi\x00"), own...)
	section := append([]byte{'A'}, append(le.AppendUint32(nil, uint32(4+len(vendor))), vendor...)...)
	at := len(b)
	b = append(b, section...)
	headers := len(b)
	b = append(b, make([]byte, 80)...)
	le.PutUint32(b[headers+40+4:], 0x70000003)
	le.PutUint32(b[headers+40+16:], uint32(at))
	le.PutUint32(b[headers+40+20:], uint32(len(section)))
	le.PutUint32(b[32:], uint32(headers))
	le.PutUint16(b[46:], 40)
	le.PutUint16(b[48:], 2)
	return b
}

// pe is a Windows program; with a CLR header it is a .NET assembly.
func pe(machine, subsystem uint16, managed bool) []byte {
	b := make([]byte, 1024)
	le := binary.LittleEndian
	copy(b, "MZ")
	le.PutUint32(b[60:], 128)
	copy(b[128:], "PE\x00\x00")
	le.PutUint16(b[132:], machine)
	o := b[152:]
	le.PutUint16(o, 0x20b)
	le.PutUint16(o[68:], subsystem)
	le.PutUint32(o[108:], 16)
	if managed {
		le.PutUint32(o[112+14*8:], 0x2008)
	}
	return b
}

func machO(cpu uint32) []byte {
	b := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(b, 0xfeedfacf)
	le.PutUint32(b[4:], cpu)
	le.PutUint32(b[12:], 2)
	return b
}

// memory is a Memory that counts.
type memory struct {
	values map[string][]byte
	hits   int
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

func (m *memory) Get(key string) ([]byte, bool) {
	v, ok := m.values[key]
	if ok {
		m.hits++
	}
	return v, ok
}

func (m *memory) Put(key string, value []byte) { m.values[key] = value }

// brokenLayer fails the test when somebody reads it.
type brokenLayer struct {
	v1.Layer
	t testing.TB
}

func (b brokenLayer) Compressed() (io.ReadCloser, error) {
	b.t.Error("the layer was read")
	return nil, io.ErrUnexpectedEOF
}
