package inputs

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// edit changes a program's header.
type edit func([]byte)

// The offsets of fields in the header of an ELF file of 64 bits.
const (
	atVersion                                                = 6
	atType, atMachine                                        = 16, 18
	atEntry, atPrograms, atSections, atFlags                 = 24, 32, 40, 48
	atHeaderSize, atProgramSize, atProgramCount              = 52, 54, 56
	atSectionSize, atSectionCount, atSectionNames, headerEnd = 58, 60, 62, 64
)

func set8(at int, value byte) edit { return func(b []byte) { b[at] = value } }

func set16(at int, value uint16) edit {
	return func(b []byte) { binary.LittleEndian.PutUint16(b[at:], value) }
}

func set32(at int, value uint32) edit {
	return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], value) }
}

func set64(at int, value uint64) edit {
	return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], value) }
}

// program is one for arm64 with one segment and an interpreter, changed.
func program(edits ...edit) []byte {
	b := make([]byte, 512)
	copy(b, "\x7fELF\x02\x01\x01")
	for _, e := range []edit{
		set16(atType, uint16(elf.ET_EXEC)), set16(atMachine, uint16(elf.EM_AARCH64)), set32(20, 1), set64(atEntry, 0x400100), set64(atPrograms, headerEnd),
		set16(atHeaderSize, headerEnd), set16(atProgramSize, 56), set16(atProgramCount, 1), set16(atSectionSize, 64),
		// The segment: an interpreter at 256.
		set32(headerEnd, uint32(elf.PT_INTERP)), set64(headerEnd+8, 256), set64(headerEnd+32, 28), set64(headerEnd+40, 28),
	} {
		e(b)
	}
	copy(b[256:], "/lib/ld-linux-aarch64.so.1\x00\x00")
	for _, e := range edits {
		e(b)
	}
	return b
}

// small is a program of 32 bits for a machine.
func small(machine elf.Machine, edits ...edit) []byte {
	b := make([]byte, 256)
	copy(b, "\x7fELF\x01\x01\x01")
	for _, e := range append([]edit{set16(16, uint16(elf.ET_EXEC)), set16(18, uint16(machine)), set32(20, 1), set32(28, 52), set16(40, 52), set16(42, 32)}, edits...) {
		e(b)
	}
	return b
}

// big is a program of the other order of bytes.
func big(machine elf.Machine) []byte {
	b := make([]byte, 256)
	copy(b, "\x7fELF\x02\x02\x01")
	binary.BigEndian.PutUint16(b[16:], uint16(elf.ET_EXEC))
	binary.BigEndian.PutUint16(b[18:], uint16(machine))
	binary.BigEndian.PutUint32(b[20:], 1)
	return b
}

// elfs are programs in an image for amd64 that is not what its label says. What else is wrong with their headers may not hide it.
func elfs() []row {
	in := func(bad string, program []byte, says string) row {
		layer := tarred(entry{name: "app", body: string(program)})
		return row{bad: bad, args: words("verify img"), in: []maker{inLayout("img", func(l *layout) { l.root(l.image("amd64", layer)) })}, code: 3, says: says}
	}
	files := func(bad string, says string, entries ...entry) row {
		layer := tarred(entries...)
		return row{bad: bad, args: words("verify img"), in: []maker{inLayout("img", func(l *layout) { l.root(l.image("amd64", layer)) })}, code: 3, says: says}
	}
	arm := string(program())
	return []row{
		in("a program for another machine", program(), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program that ends after its header", program()[:headerEnd], "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program that ends within its segments", program()[:headerEnd+20], "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program that says it has 65,535 segments", program(set16(atProgramCount, 0xffff)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose count of segments stands in a section that is not there", program(set16(atProgramCount, 0xffff), set64(atSections, 1<<40)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments lie beyond its end", program(set64(atPrograms, 1<<40)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments lie at the largest number", program(set64(atPrograms, 1<<64-1)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments overlap its header", program(set64(atPrograms, 0)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments have no size", program(set16(atProgramSize, 0)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments are of one byte", program(set16(atProgramSize, 1)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose segments are of 65,535 bytes", program(set16(atProgramSize, 0xffff)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program that says it has 65,535 sections", program(set16(atSectionCount, 0xffff), set64(atSections, 128)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose sections lie beyond its end", program(set16(atSectionCount, 3), set64(atSections, 1<<50)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose names of sections are in none", program(set16(atSectionNames, 0xfffe)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose interpreter lies beyond its end", program(set64(headerEnd+8, 1<<40)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose interpreter has a terabyte", program(set64(headerEnd+32, 1<<40)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose interpreter has a negative length", program(set64(headerEnd+32, 1<<63)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose interpreter does not end", program(func(b []byte) {
			for i := 256; i < 512; i++ {
				b[i] = 'x'
			}
		}), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose interpreter is an escape sequence", program(func(b []byte) { copy(b[256:], "\x1b[2J\x1b]0;owned\x07\x00") }), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program of an unknown version of ELF", program(set8(atVersion, 9)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose flags are all set", program(set32(atFlags, 0xffffffff)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program whose header says it is larger", program(set16(atHeaderSize, 0xffff)), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a shared object for another machine", program(set16(atType, uint16(elf.ET_DYN))), "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent"),
		in("a program of 32 bits whose machine has 64", small(elf.EM_AARCH64), "found linux/arm64ilp32 (ELF AArch64, ILP32), wanted linux/am"),
		in("a program of 32 bits for arm", small(elf.EM_ARM, set32(36, 0x05000000)), "found linux/arm (ELF ARM), wanted linux/amd64 (the entrypoin"),
		in("a program of the other order of bytes", big(elf.EM_S390), "found linux/s390x (ELF S/390, 64-bit), wanted linux/amd64 (t"),
		in("a program for POWER, with the bytes of the old order", big(elf.EM_PPC64), "found linux/ppc64 (ELF PowerPC64, big-endian), wanted linux/"),
		in("a program for RISC-V", program(set16(atMachine, uint16(elf.EM_RISCV))), "found linux/riscv64 (ELF RISC-V, 64-bit), wanted linux/amd64"),
		in("a program for LoongArch", program(set16(atMachine, uint16(elf.EM_LOONGARCH))), "found linux/loong64 (ELF LoongArch, 64-bit), wanted linux/am"),
		in("a program for MIPS", small(elf.EM_MIPS), "found linux/mipsle (ELF MIPS, little-endian), wanted linux/a"),
		in("a program for Windows in an image for Linux", append([]byte("MZ"+strings.Repeat("\x00", 58)+"\x40\x00\x00\x00"), "PE\x00\x00\x64\x86"+strings.Repeat("\x00", 200)...), "found windows/amd64 (PE x64), wanted linux/amd64 (the entryp"),
		in("a program for macOS in an image for Linux", []byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00"+strings.Repeat("\x00", 200)), "found darwin/amd64 (Mach-O x86-64), wanted linux/amd64 (the"),
		files("a program that hides behind a link", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent", entry{name: "app", kind: '2', link: "hidden/real"}, entry{name: "hidden/real", body: arm}),
		files("a program that hides behind a hard link", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent", entry{name: "hidden/real", body: arm}, entry{name: "app", kind: '1', link: "hidden/real"}),
		files("a program whose name would clear the screen", "/usr/bin/?[2Jgood: found linux/arm64 (ELF AArch64), wanted l", entry{name: "usr/bin/\x1b[2Jgood", body: arm}),
		files("a program whose name has a line break", "/usr/bin/a?b: found linux/arm64 (ELF AArch64), wanted linux/", entry{name: "usr/bin/a\nb", body: arm}),
		files("a program whose name is turned around", "/usr/bin/?gnp.exe: found linux/arm64 (ELF AArch64), wanted l", entry{name: "usr/bin/\u202egnp.exe", body: arm}),
		files("a program with an absolute name", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (in a fo", entry{name: "/usr/bin/app", body: arm}),
		files("a program with a name that leads upwards", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (in a fo", entry{name: "../../usr/bin/app", body: arm}),
		files("a library for another machine", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (in a li", entry{name: "usr/lib/x86_64-linux-gnu/libc.so.6", body: string(program(set16(atType, uint16(elf.ET_DYN))))}),
		files("the loader of another machine", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (in a li", entry{name: "lib64/ld-linux-x86-64.so.2", body: string(program(set16(atType, uint16(elf.ET_DYN))))}),
		files("two files of one name, the later one for another machine", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the ent", entry{name: "app", body: "#!/bin/sh\n"}, entry{name: "app", body: arm}),
		files("a script whose interpreter is for another machine", "found linux/arm64 (ELF AArch64), wanted linux/amd64 (the int", entry{name: "app", body: "#!/usr/bin/tool\n"}, entry{name: "usr/bin/tool", body: arm}),
	}
}
