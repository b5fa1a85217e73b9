package platform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Names is a platform's name in each place where it has another one. An empty
// field means that place does not know the platform.
type Names struct {
	// Prefix of the per-architecture repositories of Docker Official Images: arm64v8.
	Prefix string
	// Debian is dpkg's architecture: armhf.
	Debian string
	// Uname is what `uname -m` prints there: aarch64.
	Uname string
	// Alpine is apk's architecture: armv7.
	Alpine string
	// QEMU is the suffix of qemu's user-mode emulators and of their binfmt entries: aarch64.
	QEMU string
	// Machine, Bits and BigEndian are what an ELF header of the platform says.
	Machine   uint16
	Bits      int
	BigEndian bool
}

// known is the table of doc.go. Source of the prefixes: docker-library/official-images;
// of the machine numbers: the ELF gABI.
var known = []struct {
	Platform
	Names
}{
	{Platform{"linux", "amd64", "", ""}, Names{"amd64", "amd64", "x86_64", "x86_64", "x86_64", 62, 64, false}},
	{Platform{"linux", "386", "", ""}, Names{"i386", "i386", "i686", "x86", "i386", 3, 32, false}},
	{Platform{"linux", "arm64", "", ""}, Names{"arm64v8", "arm64", "aarch64", "aarch64", "aarch64", 183, 64, false}},
	{Platform{"linux", "arm", "v7", ""}, Names{"arm32v7", "armhf", "armv7l", "armv7", "arm", 40, 32, false}},
	{Platform{"linux", "arm", "v6", ""}, Names{"arm32v6", "", "armv6l", "armhf", "arm", 40, 32, false}},
	{Platform{"linux", "arm", "v5", ""}, Names{"arm32v5", "armel", "armv5tel", "", "arm", 40, 32, false}},
	{Platform{"linux", "ppc64le", "", ""}, Names{"ppc64le", "ppc64el", "ppc64le", "ppc64le", "ppc64le", 21, 64, false}},
	{Platform{"linux", "s390x", "", ""}, Names{"s390x", "s390x", "s390x", "s390x", "s390x", 22, 64, true}},
	{Platform{"linux", "riscv64", "", ""}, Names{"riscv64", "riscv64", "riscv64", "riscv64", "riscv64", 243, 64, false}},
	{Platform{"linux", "mips64le", "", ""}, Names{"mips64le", "mips64el", "mips64", "", "mips64el", 8, 64, false}},
	{Platform{"linux", "loong64", "", ""}, Names{"loong64", "loong64", "loongarch64", "loongarch64", "loongarch64", 258, 64, false}},
	{Platform{"windows", "amd64", "", ""}, Names{Prefix: "winamd64"}},
	{Platform{"windows", "arm64", "", ""}, Names{}},
}

// byOtherName holds the spellings that containerd/platforms does not read.
var byOtherName = func() map[string]Platform {
	m := map[string]Platform{"aarch64": {OS: "linux", Arch: "arm64"}, "armv8": {OS: "linux", Arch: "arm64"}}
	for _, k := range known {
		if k.OS != "linux" {
			m[k.Prefix] = k.Platform
			continue
		}
		for _, name := range []string{k.Names.Prefix, k.Names.Debian, k.Names.Uname} {
			if name != "" {
				m[name] = k.Platform
			}
		}
	}
	delete(m, "")
	return m
}()

// Names tells the platform's other names. A variant that has no row of its own
// (amd64/v3) has the names of its architecture.
func (p Platform) Names() Names {
	var fallback Names
	for _, k := range known {
		if k.OS == p.OS && k.Arch == p.Arch {
			if k.Variant == p.Variant {
				return k.Names
			}
			if fallback == (Names{}) {
				fallback = k.Names
			}
		}
	}
	return fallback
}

// All lists the platforms of the table, for completion and error messages.
func All() []Platform {
	list := make([]Platform, len(known))
	for i, k := range known {
		list[i] = k.Platform
	}
	return list
}

func knownArch(arch string) bool {
	return slices.ContainsFunc(All(), func(k Platform) bool { return k.Arch == arch })
}

// known accepts every variant of a known architecture that looks like one
// (v and digits): new ones appear faster than releases of archbuild.
func (p Platform) known() bool {
	if p.Variant != "" && rank(p) == rank(Platform{Arch: p.Arch}) && !strings.HasPrefix(p.Variant, "v") {
		return false
	}
	switch p.OS {
	case "linux", "windows", "darwin", "freebsd":
	default:
		return false
	}
	return knownArch(p.Arch) || slices.Contains([]string{"mips", "mipsle", "mips64", "ppc64", "wasm"}, p.Arch)
}

// Error says that a word names no platform.
type Error struct{ Input string }

func (e *Error) Error() string { return fmt.Sprintf("unknown platform %q", e.Input) }

// Hint names the nearest platform, or the shape of one.
func (e *Error) Hint() string {
	if near := nearest(strings.ToLower(e.Input)); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "write os/arch[/variant], for example linux/arm64 or linux/arm/v7"
}

// nearest is the known spelling at edit distance 1 or 2.
func nearest(word string) string {
	best, at := "", 3
	for _, k := range All() {
		for _, candidate := range []string{k.String(), strings.TrimPrefix(k.String(), "linux/")} {
			if d := levenshtein.Distance(word, candidate, nil); d < at && d < len(word) {
				best, at = k.String(), d
			}
		}
	}
	return best
}
