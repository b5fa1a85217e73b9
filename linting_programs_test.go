package archbuild_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// addPrograms adds what the file programs of a case lists, alone or in archives.
func addPrograms(files map[string][]byte, text string) error {
	archives := map[string]map[string][]byte{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 {
			return fmt.Errorf("programs: %q", line)
		}
		program, err := makeProgram(words[1], words[2], slices.Contains(words[3:], "static"), path.Ext(words[0]) == ".so")
		if err != nil {
			return err
		}
		archive, inside, ok := strings.Cut(words[0], "!")
		if !ok {
			files[words[0]] = program
			continue
		}
		if archives[archive] == nil {
			archives[archive] = map[string][]byte{}
		}
		archives[archive][inside] = program
	}
	for name, inside := range archives {
		packed, err := pack(name, inside)
		if err != nil {
			return err
		}
		files[name] = packed
	}
	return nil
}

// elfKinds are the number of each machine in an ELF header, its bits and byte order.
var elfKinds = map[string]struct {
	machine uint16
	bits    int
	big     bool
	loader  string
}{
	"amd64": {62, 64, false, "/lib64/ld-linux-x86-64.so.2"}, "386": {3, 32, false, "/lib/ld-linux.so.2"},
	"arm64": {183, 64, false, "/lib/ld-linux-aarch64.so.1"}, "arm/v7": {40, 32, false, "/lib/ld-linux-armhf.so.3"},
	"arm/v6": {40, 32, false, "/lib/ld-linux-armhf.so.3"}, "ppc64le": {21, 64, false, "/lib64/ld64.so.2"},
	"s390x": {22, 64, true, "/lib/ld64.so.1"}, "riscv64": {243, 64, false, "/lib/ld-linux-riscv64-lp64d.so.1"},
	"mips": {8, 32, true, "/lib/ld.so.1"}, "mips64le": {8, 64, false, "/lib64/ld.so.1"},
}

// makeProgram is a header that says a machine, and nothing that could run.
func makeProgram(format, arch string, static, library bool) ([]byte, error) {
	switch format {
	case "elf":
		return makeELF(arch, static, library)
	case "pe":
		number, ok := map[string]uint16{"386": 0x14c, "amd64": 0x8664, "arm64": 0xaa64}[arch]
		if !ok {
			return nil, fmt.Errorf("programs: no PE for %s", arch)
		}
		b := make([]byte, 512)
		copy(b, "MZ")
		binary.LittleEndian.PutUint32(b[0x3c:], 128)
		copy(b[128:], "PE\x00\x00")
		binary.LittleEndian.PutUint16(b[132:], number)
		binary.LittleEndian.PutUint16(b[148:], 240) // size of the optional header
		binary.LittleEndian.PutUint16(b[150:], 0x22)
		binary.LittleEndian.PutUint16(b[152:], 0x20b)
		return b, nil
	case "macho":
		return makeMachO(strings.Split(arch, ","))
	}
	return nil, fmt.Errorf("programs: %s is no format", format)
}

func makeELF(arch string, static, library bool) ([]byte, error) {
	kind, ok := elfKinds[arch]
	if !ok {
		return nil, fmt.Errorf("programs: no ELF for %s", arch)
	}
	const headers, loader = 64, 256 // where the program headers are, and what the first points to
	b := make([]byte, 512)
	copy(b, "\x7fELF")
	b[4], b[5], b[6] = byte(kind.bits/32), 1, 1
	var order binary.ByteOrder = binary.LittleEndian
	if kind.big {
		b[5], order = 2, binary.BigEndian
	}
	order.PutUint16(b[16:], 2)
	if library {
		order.PutUint16(b[16:], 3)
	}
	order.PutUint16(b[18:], kind.machine)
	order.PutUint32(b[20:], 1)
	if kind.machine == 40 {
		order.PutUint32(b[36:], 0x5000400) // EABI 5, hard float
	}
	if static || library {
		return b, nil
	}
	const interpreter = 3
	length := uint32(len(kind.loader) + 1) //nolint:gosec // of a table above
	copy(b[loader:], kind.loader)
	order.PutUint32(b[headers:], interpreter)
	if kind.bits == 64 {
		order.PutUint64(b[32:], headers)
		order.PutUint16(b[54:], 56)
		order.PutUint16(b[56:], 1)
		order.PutUint64(b[headers+8:], loader)
		order.PutUint64(b[headers+32:], uint64(length))
		return b, nil
	}
	order.PutUint32(b[28:], headers)
	order.PutUint16(b[42:], 32)
	order.PutUint16(b[44:], 1)
	order.PutUint32(b[headers+4:], loader)
	order.PutUint32(b[headers+16:], length)
	return b, nil
}

// makeMachO is a program for one machine, or a universal one for several.
func makeMachO(arches []string) ([]byte, error) {
	b := make([]byte, 512)
	if len(arches) > 1 {
		binary.BigEndian.PutUint32(b, 0xcafebabe)
		binary.BigEndian.PutUint32(b[4:], uint32(len(arches))) //nolint:gosec // a handful
	}
	for i, arch := range arches {
		number, ok := map[string]uint32{"386": 7, "amd64": 0x01000007, "arm64": 0x0100000c}[arch]
		if !ok {
			return nil, fmt.Errorf("programs: no Mach-O for %s", arch)
		}
		if len(arches) > 1 {
			binary.BigEndian.PutUint32(b[8+20*i:], number)
			continue
		}
		binary.LittleEndian.PutUint32(b, 0xfeedfacf)
		binary.LittleEndian.PutUint32(b[4:], number)
		binary.LittleEndian.PutUint32(b[12:], 2)
	}
	return b, nil
}

// pack makes an archive of the kind that its name says.
func pack(name string, inside map[string][]byte) ([]byte, error) {
	switch ext := path.Ext(name); {
	case ext == ".zip" || ext == ".jar" || ext == ".war" || ext == ".whl":
		return packZip(inside)
	case ext == ".tar":
		return packTar(inside)
	case ext == ".tgz", strings.HasSuffix(name, ".tar.gz"), ext == ".apk":
		return packTarGzip(inside)
	case ext == ".deb":
		data, err := packTarGzip(inside)
		if err != nil {
			return nil, err
		}
		control, err := packTarGzip(map[string][]byte{"./control": []byte("Package: x\n")})
		return packAr([]string{"debian-binary", "control.tar.gz", "data.tar.gz"}, [][]byte{[]byte("2.0\n"), control, data}), err
	case ext == ".rpm":
		return packRPM(inside)
	}
	return nil, fmt.Errorf("programs: %s is no kind of archive", name)
}

func packZip(inside map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(inside[name])
		}
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func packTar(inside map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(inside[name])), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(inside[name]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func packTarGzip(inside map[string][]byte) ([]byte, error) {
	plain, err := packTar(inside)
	if err != nil {
		return nil, err
	}
	return squeeze(plain)
}

func squeeze(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(plain)
	err = cmp.Or(err, w.Close()) // which writes what is left
	return b.Bytes(), err
}

// packAr is the archive that a Debian package is.
func packAr(names []string, parts [][]byte) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for i, name := range names {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(parts[i]))
		b.Write(parts[i])
		if len(parts[i])%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// packRPM is a lead, an empty signature, a header that says how the rest is packed, and
// a compressed cpio archive.
func packRPM(inside map[string][]byte) ([]byte, error) {
	var cpio bytes.Buffer
	member := func(name string, mode int, data []byte) {
		fmt.Fprintf(&cpio, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		cpio.WriteString(name + "\x00")
		cpio.Write(make([]byte, -cpio.Len()&3))
		cpio.Write(data)
		cpio.Write(make([]byte, -cpio.Len()&3))
	}
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		member("./"+name, 0o100755, inside[name])
	}
	member("TRAILER!!!", 0, nil)
	payload, err := squeeze(cpio.Bytes())
	if err != nil {
		return nil, err
	}
	lead := make([]byte, 96)
	copy(lead, "\xed\xab\xee\xdb\x03\x00")
	lead[79] = 5 // its signature is a header
	b := append(lead, rpmHeader(nil)...)
	b = append(b, rpmHeader(map[uint32]string{1124: "cpio", 1125: "gzip"})...)
	return append(b, payload...), nil
}

// rpmHeader is a header structure of texts by tag.
func rpmHeader(tags map[uint32]string) []byte {
	const text = 6
	var index, store []byte
	be := binary.BigEndian
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		index = be.AppendUint32(be.AppendUint32(be.AppendUint32(be.AppendUint32(index, tag), text), uint32(len(store))), 1) //nolint:gosec // a few bytes
		store = append(append(store, tags[tag]...), 0)
	}
	b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	b = be.AppendUint32(be.AppendUint32(b, uint32(len(tags))), uint32(len(store))) //nolint:gosec // a few bytes
	return append(append(b, index...), store...)
}
