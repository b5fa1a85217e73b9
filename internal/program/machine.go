package program

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// machine is one kind of processor: as OCI names its architecture and as the
// file format does.
type machine struct{ arch, name string }

type elfKey struct {
	number    uint16
	bits      int
	bigEndian bool
}

// elfMachines are the machines a Linux userland is made for. What is missing
// here (BPF, GPUs, microcontrollers, DSPs) is loaded by programs, not run as one.
// Numbers: e_machine of the ELF gABI.
var elfMachines = map[elfKey]machine{
	{3, 32, false}:      {"386", "Intel 80386"},
	{62, 64, false}:     {"amd64", "x86-64"},
	{62, 32, false}:     {"x32", "x86-64, x32 ABI"},
	{40, 32, false}:     {"arm", "ARM"},
	{40, 32, true}:      {"armeb", "ARM, big-endian"},
	{183, 64, false}:    {"arm64", "AArch64"},
	{183, 64, true}:     {"arm64be", "AArch64, big-endian"},
	{183, 32, false}:    {"arm64ilp32", "AArch64, ILP32"},
	{20, 32, true}:      {"ppc", "PowerPC"},
	{21, 64, false}:     {"ppc64le", "PowerPC64, little-endian"},
	{21, 64, true}:      {"ppc64", "PowerPC64, big-endian"},
	{22, 64, true}:      {"s390x", "S/390, 64-bit"},
	{22, 32, true}:      {"s390", "S/390, 31-bit"},
	{243, 64, false}:    {"riscv64", "RISC-V, 64-bit"},
	{243, 32, false}:    {"riscv", "RISC-V, 32-bit"},
	{8, 32, true}:       {"mips", "MIPS, big-endian"},
	{8, 32, false}:      {"mipsle", "MIPS, little-endian"},
	{8, 64, true}:       {"mips64", "MIPS64, big-endian"},
	{8, 64, false}:      {"mips64le", "MIPS64, little-endian"},
	{258, 64, false}:    {"loong64", "LoongArch, 64-bit"},
	{2, 32, true}:       {"sparc", "SPARC"},
	{43, 64, true}:      {"sparc64", "SPARC V9"},
	{50, 64, false}:     {"ia64", "IA-64"},
	{0x9026, 64, false}: {"alpha", "Alpha"},
	{15, 32, true}:      {"hppa", "PA-RISC"},
	{42, 32, false}:     {"sh4", "SuperH"},
	{4, 32, true}:       {"m68k", "m68k"},
}

var peMachines = map[uint16]machine{
	0x14c: {"386", "i386"}, 0x8664: {"amd64", "x64"}, 0xaa64: {"arm64", "ARM64"},
	0x1c0: {"arm", "ARM"}, 0x1c4: {"arm", "ARMv7 Thumb-2"},
}

var machOMachines = map[uint32]machine{
	7: {"386", "i386"}, 0x01000007: {"amd64", "x86-64"}, 12: {"arm", "ARM"}, 0x0100000c: {"arm64", "ARM64"},
	18: {"ppc", "PowerPC"}, 0x01000012: {"ppc64", "PowerPC64"},
}

// Answer is whether a platform runs a program.
type Answer int

// The answers.
const (
	Runs Answer = iota
	// Unsure is what some machines of the platform run, or what cannot be told.
	Unsure
	Cannot
)

// sometimes lists what some kernels and processors of an architecture run
// besides its own programs, and others do not.
var sometimes = map[string][]string{
	"linux/amd64":    {"x32"},
	"linux/s390x":    {"s390"},
	"linux/mips64le": {"mipsle"},
	"linux/mips64":   {"mips"},
	"linux/ppc64":    {"ppc"},
	"windows/arm64":  {"amd64", "386", "arm"},
}

// RunsOn tells whether the platform runs the program; why is said when the
// answer is not plain from the two.
func (p *Program) RunsOn(want platform.Platform) (a Answer, why string) {
	if p.Format != native(want.OS) {
		return Cannot, ""
	}
	if p.Format == ELF && p.OS != "" && p.OS != want.OS {
		return Unsure, "marked as a program of another system"
	}
	key := want.OS + "/" + want.Arch
	switch {
	case p.Arch == "arm" && want.Arch == "arm" && p.Format == ELF:
		return p.runsOnARM(want)
	case p.Arch == want.Arch, p.Arch == "universal":
		return Runs, ""
	case p.Arch == "386" && want.Arch == "amd64":
		return Runs, ""
	}
	for _, arch := range sometimes[key] {
		if p.Arch == arch {
			return Unsure, "not every machine runs it"
		}
	}
	return Cannot, ""
}

// runsOnARM compares versions of the architecture. A shared library may hold
// newer code that it uses only where the processor has it, and is then marked
// with the newer version: that proves nothing.
func (p *Program) runsOnARM(want platform.Platform) (Answer, string) {
	version := 7
	if _, err := fmt.Sscanf(want.Variant, "v%d", &version); err != nil {
		version = 7
	}
	switch {
	case p.HardFloat && version < 6:
		return Cannot, "hard float"
	case p.ARM > version && p.Library:
		return Unsure, "a library may use newer instructions only where there are some"
	case p.ARM > version:
		return Cannot, ""
	}
	return Runs, ""
}

// native is the format of a system's programs.
func native(system string) Format {
	switch system {
	case "windows":
		return PE
	case "darwin":
		return MachO
	}
	return ELF
}

// Describe names system, architecture, format and machine: "linux/amd64 (ELF x86-64)". A
// format that several systems share counts as that of want.
func (p *Program) Describe(want platform.Platform) string {
	system := p.OS
	if system == "" {
		system = "linux"
		if native(want.OS) == ELF {
			system = want.OS
		}
	}
	arch, name := p.Arch, p.Machine
	if p.ARM > 0 {
		arch = fmt.Sprintf("%s/v%d", arch, p.ARM)
	}
	if p.Arch == "arm" && p.Format == ELF && p.HardFloat {
		name += ", hard float"
	}
	return fmt.Sprintf("%s/%s (%s %s)", system, arch, p.Format, name)
}

// triplets are the processors in the names of multiarch folders
// (x86_64-linux-gnu) that belong to an architecture.
var triplets = map[string][]string{
	"amd64": {"x86_64", "i386", "i486", "i586", "i686"}, "386": {"i386", "i486", "i586", "i686"},
	"arm64": {"aarch64"}, "arm": {"arm", "armv7", "armv6"}, "ppc64le": {"powerpc64le"}, "s390x": {"s390x"},
	"riscv64": {"riscv64"}, "mips64le": {"mips64el"}, "loong64": {"loongarch64"},
}

// OwnTriplet reports whether a folder name is that of the architecture's own libraries.
func OwnTriplet(name, arch string) bool {
	cpu, _, ok := strings.Cut(name, "-linux-")
	if !ok {
		return false
	}
	for _, own := range triplets[arch] {
		if cpu == own {
			return true
		}
	}
	return false
}
