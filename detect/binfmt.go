package detect

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// binfmtDir is where the kernel's interface is usually mounted.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// MountBinfmt is the command that makes the kernel's registry of emulators
// visible. It is to be run as root.
const MountBinfmt = "mount -t binfmt_misc binfmt_misc " + binfmtDir

// headerSize covers e_ident, e_type and e_machine, all that tells a platform.
const headerSize = 20

// Registration is what the kernel is told so that it hands programs of a
// platform to an emulator. There is always the flag F (the interpreter is opened
// when it is registered, so containers need not hold it) and never C (a
// set-user-ID program of an image would run the emulator as root).
type Registration struct {
	// Name of the entry: qemu-aarch64, as the distributions name theirs, so
	// that one does not shadow the other.
	Name string
	// Interpreter is the emulator's path, statically linked.
	Interpreter string
	// Magic is compared with the beginning of a program where Mask has ones.
	Magic, Mask []byte
	// Flags are those of the entry, F among them; empty is F alone.
	Flags string
}

// RegistrationFor is the registration that serves programs of a platform with
// Debian's static qemu. ok is false where nothing emulates it. Never register
// one for a platform the machine runs natively: it would take over.
func RegistrationFor(p platform.Platform) (r Registration, ok bool) {
	names := p.Names()
	if p.OS != "linux" || names.QEMU == "" || names.Machine == 0 {
		return Registration{}, false
	}
	return Registration{
		Name:        "qemu-" + names.QEMU,
		Interpreter: "/usr/bin/qemu-" + names.QEMU + "-static",
		Magic:       elfHeader(p, 2),
		Mask:        headerMask(names.BigEndian),
	}, true
}

// Registrations lists those of every platform that archbuild knows, one per
// emulator, in the order of platform.All.
func Registrations() []Registration {
	var list []Registration
	seen := map[string]bool{}
	for _, p := range platform.All() {
		if r, ok := RegistrationFor(p); ok && !seen[r.Name] {
			seen[r.Name] = true
			list = append(list, r)
		}
	}
	return list
}

// String is the line the kernel takes, as Documentation/admin-guide/binfmt-misc
// of Linux describes it.
func (r Registration) String() string {
	return fmt.Sprintf(":%s:M::%s:%s:%s:%s", r.Name, escaped(r.Magic), escaped(r.Mask), r.Interpreter, cmp.Or(r.Flags, "F"))
}

// Command is the shell command that registers it, to be run as root.
func (r Registration) Command() string {
	return fmt.Sprintf("printf '%%s' '%s' > %s/register", r, binfmtDir)
}

func escaped(data []byte) string {
	var s strings.Builder
	for _, b := range data {
		fmt.Fprintf(&s, `\x%02x`, b)
	}
	return s.String()
}

// elfHeader begins a program of the platform: e_ident, e_type, e_machine.
func elfHeader(p platform.Platform, kind uint16) []byte {
	n := p.Names()
	h := make([]byte, headerSize)
	copy(h, "\x7fELF")
	h[4], h[5], h[6] = 1, 1, 1 // 32 bits, little-endian, version 1
	if n.Bits == 64 {
		h[4] = 2
	}
	if n.BigEndian {
		h[5] = 2
	}
	order := byteOrder(n.BigEndian)
	order.PutUint16(h[16:], kind)
	order.PutUint16(h[18:], n.Machine)
	return h
}

// headerMask lets the system ABI and its version vary (GNU/Linux programs with
// indirect functions have 3 there, MIPS programs several versions), and
// e_type be 2 or 3: fixed and position-independent programs.
func headerMask(big bool) []byte {
	m := bytes.Repeat([]byte{0xff}, headerSize)
	m[7], m[8] = 0, 0
	if big {
		m[17] = 0xfe
	} else {
		m[16] = 0xfe
	}
	return m
}

func byteOrder(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
