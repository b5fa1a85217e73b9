package detect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/platform"
)

// HostFacts say what this machine is.
type HostFacts struct {
	// Platform is what an image for this machine is: the userland's
	// architecture with the CPU's variant.
	Platform platform.Platform `json:"platform"`
	// Userland is what the installed programs are made for, as Source tells:
	// dpkg, apk, /bin/sh or, when there is nothing to ask, kernel.
	Userland platform.Platform `json:"userland"`
	Source   string            `json:"source"`
	// Kernel is the kernel's own platform; Machine and Release are uname's.
	Kernel  platform.Platform `json:"kernel"`
	Machine string            `json:"machine"`
	Release string            `json:"release"`
	// Mixed says that userland and kernel are of different architectures.
	Mixed bool `json:"mixed"`
	// Native are the platforms the CPU runs without an emulator, sorted.
	Native []platform.Platform `json:"native"`
}

// String is the one line that says what the machine is, and both parts when
// they differ.
func (h HostFacts) String() string {
	if h.Mixed {
		return fmt.Sprintf("%s (userland %s by %s, kernel %s)", h.Platform, h.Userland, h.Source, h.Kernel)
	}
	return h.Platform.String()
}

// ErrNoPlatform says that neither userland nor kernel could be recognised.
var ErrNoPlatform = errors.New("this machine's platform is not one that archbuild knows")

// Host tells what this machine is, the userland first and then the kernel.
func Host(ctx context.Context, o Options) (HostFacts, error) {
	h := HostFacts{Machine: o.machine(), Release: readLine(o.ProcPath("sys/kernel/osrelease"))}
	cpu := readCPU(o)
	h.Kernel = kernelPlatform(h.Machine)
	h.Userland, h.Source = userland(o)
	if h.Userland == (platform.Platform{}) {
		h.Userland, h.Source = h.Kernel, "kernel"
	}
	if h.Kernel == (platform.Platform{}) {
		h.Kernel = h.Userland
	}
	if h.Userland == (platform.Platform{}) {
		return HostFacts{}, ErrNoPlatform
	}
	if h.Kernel.Arch == "arm" && cpu.arm != "" {
		h.Kernel.Variant = cpu.arm
	}
	h.Mixed = h.Userland.Arch != h.Kernel.Arch
	h.Platform = h.Userland
	if h.Platform.Arch == "arm" && cpu.arm != "" {
		h.Platform.Variant = cpu.arm
	}
	h.Native = native(ctx, o, h, cpu)
	return h, ctx.Err()
}

// native lists what runs without an emulator. Everything that the userland is
// made of runs, or nothing would; the rest is tried, if it is asked for.
func native(ctx context.Context, o Options, h HostFacts, cpu cpuFacts) []platform.Platform {
	list := []platform.Platform{h.Kernel}
	compat := func(spelling string) bool {
		p := platform.MustParse(spelling)
		return h.Userland.Arch == p.Arch || o.asks(p.Arch) && runsUnaided(ctx, o, p)
	}
	switch h.Kernel.Arch {
	case "amd64":
		for _, level := range cpu.levels {
			list = append(list, platform.Platform{OS: "linux", Arch: "amd64", Variant: level})
		}
		if compat("linux/386") {
			list = append(list, platform.MustParse("linux/386"))
		}
	case "arm64":
		if compat("linux/arm/v7") {
			list = append(list, armUpTo("v7")...)
		}
	case "arm":
		list = append(list, armUpTo(h.Kernel.Variant)...)
	}
	return sorted(list)
}

// runsUnaided tries a probe program, unless an emulator would answer for the
// CPU. A tree that is not this machine's is never tried.
func runsUnaided(ctx context.Context, o Options, p platform.Platform) bool {
	if !o.Real() {
		return false
	}
	binfmt := readBinfmt(o)
	if slices.ContainsFunc(binfmt.Entries, func(e Emulator) bool { return e.serves(p) }) {
		return false
	}
	return Try(ctx, p) == nil
}

func armUpTo(variant string) []platform.Platform {
	var list []platform.Platform
	for _, v := range []string{"v5", "v6", "v7"} {
		if v <= variant {
			list = append(list, platform.Platform{OS: "linux", Arch: "arm", Variant: v})
		}
	}
	return list
}

// userland asks the package manager, then the shell.
func userland(o Options) (platform.Platform, string) {
	shell, shellErr := readELF(o.Path("/bin/sh"))
	if p, ok := dpkgPlatform(o); ok {
		// Raspbian's armhf is ARMv6 where Debian's is ARMv7: its programs tell.
		if shellErr == nil && p.Arch == "arm" && shell.platform.Arch == "arm" {
			p = shell.platform
		}
		return p, "dpkg"
	}
	if p, ok := apkPlatform(o); ok {
		return p, "apk"
	}
	if shellErr == nil {
		return shell.platform, "/bin/sh"
	}
	return platform.Platform{}, ""
}

// dpkgPlatform is what dpkg --print-architecture would print: the first line
// of its list of architectures, which exists only if there are several, or
// the architecture of the package dpkg.
func dpkgPlatform(o Options) (platform.Platform, bool) {
	arch := readLine(o.Path("/var/lib/dpkg/arch"))
	if arch == "" {
		arch = statusArchitecture(o.Path("/var/lib/dpkg/status"))
	}
	return byName(arch, func(n platform.Names) string { return n.Debian })
}

// statusArchitecture reads dpkg's list of packages up to dpkg's own entry: the
// list is long and a build waits for the answer.
func statusArchitecture(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	inside := false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			inside = name == "dpkg"
		}
		if arch, ok := strings.CutPrefix(line, "Architecture: "); ok && inside {
			return strings.TrimSpace(arch)
		}
	}
	return ""
}

func apkPlatform(o Options) (platform.Platform, bool) {
	return byName(readLine(o.Path("/etc/apk/arch")), func(n platform.Names) string { return n.Alpine })
}

func byName(name string, column func(platform.Names) string) (platform.Platform, bool) {
	for _, p := range platform.All() {
		if name != "" && p.OS == "linux" && column(p.Names()) == name {
			return p, true
		}
	}
	return platform.Platform{}, false
}

// machine is the kernel's `uname -m`. The file is preferred: under setarch or
// linux32 the system call names the personality, not the kernel.
func (o Options) machine() string {
	if m := readLine(o.ProcPath("sys/kernel/arch")); m != "" {
		return m
	}
	if o.Machine != "" || !o.Real() {
		return o.Machine
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Machine[:])
}

var uname386 = regexp.MustCompile(`^i[3-6]86$`)

// kernelPlatform reads `uname -m`. ARM prints a letter for the byte order and
// extensions after the version: armv7l, armv5tel, armv6hl; armv8l is an arm64
// kernel in 32-bit disguise.
func kernelPlatform(machine string) platform.Platform {
	switch {
	case uname386.MatchString(machine):
		machine = "i686"
	case strings.HasPrefix(machine, "armv8"):
		machine = "aarch64"
	case strings.HasPrefix(machine, "armv") && len(machine) > 4:
		machine = "linux/arm/" + machine[3:5]
	}
	p, err := platform.Parse(machine)
	if err != nil {
		return platform.Platform{}
	}
	return p
}

func readLine(path string) string {
	line, _, _ := strings.Cut(readFile(path, 64<<10), "\n")
	return strings.TrimSpace(line)
}

// readFile is at most max bytes of a file; what cannot be read is empty.
func readFile(path string, max int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, max))
	return string(text)
}

func sorted(list []platform.Platform) []platform.Platform {
	list = slices.Clone(list)
	slices.SortFunc(list, platform.Platform.Compare)
	return slices.Compact(list)
}
