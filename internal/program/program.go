// Package program says what a file's first bytes tell: whether it is a program, in which
// format, and for which machine.
//
// Three formats hold machine code: ELF (Linux and most others), PE (Windows) and Mach-O
// (Apple's systems). Each begins with a magic number and says soon after it for which
// processor it was made, so that a few hundred bytes of a file are enough. Only 32-bit
// ARM hides what matters there, the version of the architecture, farther behind.
//
// What is loaded by programs and not run as one (object files, BPF, firmware, .NET
// assemblies, Java classes) is no program here.
package program

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// Format is how a file says that it is a program.
type Format string

// The formats. A Script names the program that reads it, and is for every machine.
const (
	ELF    Format = "ELF"
	PE     Format = "PE"
	MachO  Format = "Mach-O"
	Script Format = "script"
)

// Program is what the first bytes of a file say about it.
type Program struct {
	Format Format `json:"f"`
	// Arch is the architecture as OCI names it, or a name of our own for one that
	// has none ("x32", "sparc64", "universal").
	Arch string `json:"a,omitempty"`
	// OS is empty when the format does not tell more than Format does.
	OS string `json:"o,omitempty"`
	// Machine is the name the format's own documents use: "x86-64".
	Machine string `json:"m,omitempty"`
	// Library is set for what looks like a shared library rather than a program.
	Library bool `json:"l,omitempty"`
	// ARM is the lowest version of the architecture it says it needs, 0 unknown.
	ARM int `json:"v,omitempty"`
	// HardFloat tells that it passes numbers in floating point registers.
	HardFloat bool `json:"h,omitempty"`
	// Interpreter of a script: the words after #!.
	Interpreter []string `json:"i,omitempty"`
}

// headSize is where ELF and Mach-O have said all that is asked.
const headSize = 512

// BufferSize is how far into a file its PE header may lie; linkers put it at 64 to 512.
const BufferSize = 4096

// Read reads the first bytes of a file of some size, BufferSize at most. It returns nil
// for what is no program. With wantARM it reads the build attributes of 32-bit ARM
// programs too, for which up to 32 MB of the file may pass by. buffer is its scratch space, of BufferSize bytes; the
// last part of the file's name tells libraries.
func Read(r io.Reader, buffer []byte, name string, size int64, wantARM bool) (*Program, error) {
	if size < 4 {
		return nil, nil
	}
	head := buffer[:min(size, headSize)]
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return inspectELF(head, r, name, wantARM)
	case bytes.HasPrefix(head, []byte("MZ")):
		whole := buffer[:min(size, BufferSize)]
		if _, err := io.ReadFull(r, whole[len(head):]); err != nil {
			return nil, err
		}
		return inspectPE(whole), nil
	case bytes.HasPrefix(head, []byte("#!")):
		return inspectScript(head), nil
	}
	return inspectMachO(head), nil
}

func inspectScript(head []byte) *Program {
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	words := strings.Fields(strings.ToValidUTF8(string(line), "?"))
	if len(words) == 0 {
		return nil
	}
	return &Program{Format: Script, Interpreter: words}
}

// Offsets and numbers of the ELF gABI.
const (
	elfTypeExec, elfTypeDyn = 2, 3
	elfARM                  = 40
	elfARMHardFloat         = 0x400
)

// elfSystems are the values of EI_OSABI that name another system than Linux.
// 0 (System V) and 3 (GNU) are what Linux programs have.
var elfSystems = map[byte]string{2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}

func inspectELF(head []byte, rest io.Reader, name string, wantARM bool) (*Program, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if len(head) < 52 {
		return nil, nil
	}
	class, data := head[4], head[5]
	if class < 1 || class > 2 || data < 1 || data > 2 || (class == 2 && len(head) < 64) {
		return nil, nil
	}
	if data == 2 {
		order = binary.BigEndian
	}
	if t := order.Uint16(head[16:]); t != elfTypeExec && t != elfTypeDyn {
		return nil, nil // relocatable object, core file
	}
	number := order.Uint16(head[18:])
	m, ok := elfMachines[elfKey{number, int(class) * 32, data == 2}]
	if !ok {
		return nil, nil // BPF, microcontrollers, accelerators: not run by the image's kernel
	}
	p := &Program{Format: ELF, Arch: m.arch, Machine: m.name, OS: elfSystems[head[7]], Library: isLibraryName(name)}
	if number != elfARM || data == 2 {
		return p, nil
	}
	p.HardFloat = order.Uint32(head[36:])&elfARMHardFloat != 0
	if wantARM {
		return readARM(p, head, rest)
	}
	return p, nil
}

// isLibraryName knows libz.so, libz.so.1.2 and plugin.so.
func isLibraryName(name string) bool {
	_, after, ok := strings.Cut(name, ".so")
	return ok && (after == "" || after[0] == '.')
}

// inspectPE reads what Microsoft's "PE Format" describes.
func inspectPE(head []byte) *Program {
	le := binary.LittleEndian
	if len(head) < 64 || bytes.HasPrefix(head, []byte("MZqFpD")) {
		return nil // the latter is an "actually portable executable": it runs on Linux
	}
	at := int64(le.Uint32(head[60:]))
	if at+24+72 > int64(len(head)) || !bytes.HasPrefix(head[at:], []byte("PE\x00\x00")) {
		return nil
	}
	m, ok := peMachines[le.Uint16(head[at+4:])]
	optional := head[at+24:]
	if subsystem := le.Uint16(optional[68:]); !ok || (subsystem >= 10 && subsystem <= 13) || isManaged(optional) {
		return nil // EFI (boot loaders, kernels), .NET
	}
	return &Program{Format: PE, OS: "windows", Arch: m.arch, Machine: m.name}
}

// isManaged tells .NET assemblies: they carry a CLR header, entry 14 of the
// data directories, and the runtime compiles them for the machine at hand.
func isManaged(optional []byte) bool {
	le := binary.LittleEndian
	directories := 96
	if le.Uint16(optional) == 0x20b { // PE32+
		directories = 112
	}
	entry := directories + 14*8
	if len(optional) < entry+8 || le.Uint32(optional[directories-4:]) <= 14 {
		return false
	}
	return le.Uint32(optional[entry:]) != 0
}

// inspectMachO reads what Apple's mach-o/loader.h and fat.h describe.
func inspectMachO(head []byte) *Program {
	if len(head) < 16 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(head) {
	case 0xcafebabe, 0xcafebabf:
		// Java classes begin alike; there the next number is a version, 45 and up.
		if n := binary.BigEndian.Uint32(head[4:]); n == 0 || n >= 45 {
			return nil
		}
		return &Program{Format: MachO, OS: "darwin", Arch: "universal", Machine: "universal"}
	case 0xfeedface, 0xfeedfacf:
		order = binary.BigEndian
	case 0xcefaedfe, 0xcffaedfe:
	default:
		return nil
	}
	m, ok := machOMachines[order.Uint32(head[4:])]
	switch order.Uint32(head[12:]) {
	case 2, 6, 7, 8: // executable, library, linker, bundle
	default:
		ok = false
	}
	if !ok {
		return nil
	}
	return &Program{Format: MachO, OS: "darwin", Arch: m.arch, Machine: m.name}
}
