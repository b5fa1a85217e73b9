package detect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/archbuild/archbuild/platform"
)

// program is what the header of an ELF file tells.
type program struct {
	platform platform.Platform
	// static says that the program asks for no dynamic loader.
	static bool
}

var errUnknownMachine = errors.New("no platform has this ELF machine")

func readELF(path string) (program, error) {
	f, err := elf.Open(path)
	if err != nil {
		return program{}, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	bits := map[elf.Class]int{elf.ELFCLASS32: 32, elf.ELFCLASS64: 64}[f.Class]
	p, ok := byMachine(uint16(f.Machine), bits, f.Data == elf.ELFDATA2MSB)
	if !ok {
		return program{}, fmt.Errorf("reading %s: %w", path, errUnknownMachine)
	}
	if p.Arch == "arm" {
		p.Variant = armAttributes(f)
	}
	static := true
	for _, segment := range f.Progs {
		static = static && segment.Type != elf.PT_INTERP
	}
	return program{platform: p, static: static}, nil
}

func byMachine(machine uint16, bits int, big bool) (platform.Platform, bool) {
	for _, p := range platform.All() {
		if n := p.Names(); p.OS == "linux" && n.Machine == machine && n.Bits == bits && n.BigEndian == big {
			return p, true
		}
	}
	return platform.Platform{}, false
}

// shtARMAttributes and tagCPUArch are of the "Addenda to, and Errata in, the
// ABI for the Arm Architecture".
const (
	shtARMAttributes = elf.SectionType(0x70000003)
	tagFile          = 1
	tagCPUArch       = 6
)

// armAttributes is the variant that the build attributes name; v7 when there
// are none.
func armAttributes(f *elf.File) string {
	for _, section := range f.Sections {
		if section.Type != shtARMAttributes || section.Size > 64<<10 {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(section.Open(), 64<<10))
		if arch, ok := cpuArch(data, f.ByteOrder); err == nil && ok {
			return armArchVariant(arch)
		}
	}
	return "v7"
}

// cpuArch walks "A", then length, vendor NUL, then tag, length, attributes.
func cpuArch(data []byte, order binary.ByteOrder) (uint64, bool) {
	vendor, ok := bytes.CutPrefix(data, []byte("A"))
	if !ok || len(vendor) < 4 {
		return 0, false
	}
	_, sub, ok := bytes.Cut(vendor[4:], []byte("aeabi\x00"))
	if !ok || len(sub) < 5 || sub[0] != tagFile {
		return 0, false
	}
	sub = sub[5:min(len(sub), max(5, int(order.Uint32(sub[1:]))))]
	for len(sub) > 0 {
		tag, n := binary.Uvarint(sub)
		if n <= 0 {
			return 0, false
		}
		sub = sub[n:]
		if isText(tag) {
			_, sub, _ = bytes.Cut(sub, []byte{0})
			continue
		}
		value, n := binary.Uvarint(sub)
		if n <= 0 {
			return 0, false
		}
		if tag == tagCPUArch {
			return value, true
		}
		sub = sub[n:]
	}
	return 0, false
}

// isText says whether an attribute's value is a string: CPU_raw_name,
// CPU_name, compatibility (taken as one; it never comes before CPU_arch), and
// above 32 the odd tags.
func isText(tag uint64) bool {
	return tag == 4 || tag == 5 || tag == 32 || tag > 32 && tag%2 == 1
}

// armArchVariant turns Tag_CPU_arch into a variant: 6, 7, 9 and the M profiles
// 11 and 12 are kinds of v6, 8 is v6T2, 10 and above are v7 and newer.
func armArchVariant(arch uint64) string {
	switch {
	case arch < 6:
		return "v5"
	case arch == 10 || arch > 12:
		return "v7"
	}
	return "v6"
}
