package detect

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// probeCode is "exit with status 0" in machine code, for Linux, by GOARCH.
// Words are in the platform's byte order.
var probeCode = map[string][]byte{
	"amd64": {
		0xb8, 60, 0, 0, 0, // mov $60, %eax
		0x31, 0xff, // xor %edi, %edi
		0x0f, 0x05, // syscall
	},
	"386": {
		0xb8, 1, 0, 0, 0, // mov $1, %eax
		0x31, 0xdb, // xor %ebx, %ebx
		0xcd, 0x80, // int $0x80
	},
	"s390x": {
		0xa7, 0x29, 0, 0, // lghi %r2, 0
		0x0a, 0x01, // svc 1
	},
	"arm64":    words(0xd2800ba8, 0xd2800000, 0xd4000001), // mov x8, #93; mov x0, #0; svc #0
	"arm":      words(0xe3a07001, 0xe3a00000, 0xef000000), // mov r7, #1; mov r0, #0; svc 0
	"riscv64":  words(0x05d00893, 0x00000513, 0x00000073), // li a7, 93; li a0, 0; ecall
	"ppc64le":  words(0x38000001, 0x38600000, 0x44000002), // li r0, 1; li r3, 0; sc
	"mips64le": words(0x240213c2, 0x00002025, 0x0000000c), // li v0, 5058; move a0, zero; syscall
	"loong64":  words(0x0381740b, 0x00150004, 0x002b0000), // li.w a7, 93; move a0, zero; syscall 0
}

// probeFlags is e_flags where a loader cares: the ARM EABI 5, ELFv2 of
// ppc64le, MIPS64R2, the LoongArch double-float ABI.
var probeFlags = map[string]uint32{"arm": 0x05000000, "ppc64le": 2, "mips64le": 0x80000000, "loong64": 0x43, "riscv64": 4}

func words(list ...uint32) []byte {
	var code []byte
	for _, w := range list {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// Probe is a whole program of the platform that only exits with status 0, in
// a few hundred bytes. Nil where archbuild knows none.
func Probe(p platform.Platform) []byte {
	code := probeCode[p.Arch]
	if p.OS != "linux" || code == nil {
		return nil
	}
	n := p.Names()
	const base = 0x10000 // where it is loaded; above every mmap_min_addr
	order, wide := byteOrder(n.BigEndian), n.Bits == 64
	head, segment := 52, 32
	if wide {
		head, segment = 64, 56
	}
	start := head + segment
	size := uint64(start + len(code))

	var b []byte
	u16 := func(v uint16) { b = appendOrder(b, order, uint64(v), 2) }
	u32 := func(v uint32) { b = appendOrder(b, order, uint64(v), 4) }
	word := func(v uint64) { b = appendOrder(b, order, v, n.Bits/8) }
	b = append(b, elfHeader(p, 2)...)
	u32(1)                     // e_version
	word(base + uint64(start)) // e_entry
	word(uint64(head))         // e_phoff
	word(0)                    // e_shoff
	u32(probeFlags[p.Arch])
	for _, v := range []int{head, segment, 1, 0, 0, 0} { // sizes and counts
		u16(uint16(v))
	}
	const load, readExecute = 1, 5
	u32(load)
	if wide {
		u32(readExecute)
	}
	for _, v := range []uint64{0, base, base, size, size} { // offset, addresses, sizes
		word(v)
	}
	if !wide {
		u32(readExecute)
	}
	word(base) // alignment
	return append(b, code...)
}

func appendOrder(b []byte, order binary.ByteOrder, v uint64, size int) []byte {
	var buf [8]byte
	switch size {
	case 2:
		order.PutUint16(buf[:], uint16(v))
	case 4:
		order.PutUint32(buf[:], uint32(v))
	default:
		order.PutUint64(buf[:], v)
	}
	return append(b, buf[:size]...)
}

// Try runs a Probe of the platform on this machine, natively or emulated as
// the kernel decides. Nil means that its programs run. It takes about a
// millisecond and leaves no file: the program lies in memory.
func Try(ctx context.Context, p platform.Platform) error {
	return tryIn(ctx, p, run.Options{Timeout: 5 * time.Second})
}

// TryNamespaces runs such a program of this machine in new namespaces: CLONE_NEW…
// flags as clone(2) has them. Nil means that this process may make them.
func TryNamespaces(ctx context.Context, flags uintptr) error {
	return tryIn(ctx, platform.Host(), run.Options{Namespaces: flags, Timeout: 5 * time.Second})
}

// tryIn is Try with further wishes.
func tryIn(ctx context.Context, p platform.Platform, o run.Options) error {
	probe := Probe(p)
	if probe == nil {
		return fmt.Errorf("trying a program of %s: %w", p, errUnknownMachine)
	}
	fd, err := memoryFile("archbuild-probe")
	if err != nil {
		return fmt.Errorf("trying a program of %s: %w", p, err)
	}
	file := os.NewFile(uintptr(fd), "archbuild-probe")
	defer file.Close()
	if _, err := file.Write(probe); err != nil {
		return fmt.Errorf("trying a program of %s: %w", p, err)
	}
	// By this process's number, not by "self": an emulator opens it anew. But a
	// process in another user namespace may open no file of this one.
	o.Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	if o.Namespaces != 0 {
		o.Path = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	if _, err := run.Command(ctx, o); err != nil {
		return fmt.Errorf("trying a program of %s: %w", p, err)
	}
	return nil
}
