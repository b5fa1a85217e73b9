// Package detect reads what this machine is and can do, before anything is
// built on it.
//
// Three questions decide whether a RUN step of a foreign platform works, and
// each has a trap:
//
//   - What is this machine? A Raspberry Pi often has a 64-bit kernel under a
//     32-bit userland, and `uname -m` names the kernel. The userland is asked
//     first (its package manager, then /bin/sh), the kernel second; both are
//     told. The ARM variant is a property of the CPU: /proc/cpuinfo.
//   - What does the CPU run by itself? An amd64 kernel usually runs 386
//     programs, an arm64 one runs 32-bit ARM only on some CPUs. A program of
//     a few instructions that exits with 0 is run to find out (Try).
//   - What is emulated? The kernel hands a foreign program to the interpreter
//     that binfmt_misc names for its ELF header. Inside a container that only
//     works if the kernel opened the interpreter when it was registered (flag
//     F) and the interpreter needs no shared library, since the container's
//     root holds neither. What an entry serves is told by its magic and mask,
//     never by its name. Since Linux 6.7 entries vanish with the last mount
//     of binfmt_misc, and every user namespace may have its own: what a plain
//     user's engine will register there counts as registered (Options.Rootless).
//
// The package looks: it mounts and installs nothing. What is missing is told with
// the command that supplies it (Missing). Emulators are registered for whoever
// asks for just that (Register). What the kernel has for containers is asked in
// the room below, detect/kernel.
package detect

import (
	"context"
	"os"
	"path/filepath"

	"github.com/archbuild/archbuild/platform"
)

// Options say where to look. The zero value looks at the running machine.
type Options struct {
	// Root is the tree looked at; empty is "/". With another root no probe
	// program is run: what cannot be read is taken to be absent.
	Root string
	// Proc is the mount of procfs; empty is Root's.
	Proc string
	// Machine is what `uname -m` says, for kernels before 6.1, which do not
	// tell it in Proc. Empty asks the running kernel when Root is "/".
	Machine string
	// Runc is the container runtime's path; empty looks where programs are.
	Runc string
	// Platforms are those asked about; empty is every Linux platform that
	// archbuild knows. What would only matter to others is not tried (a few
	// milliseconds each): HostFacts.Native lacks them, Emulator.Version is empty.
	Platforms []platform.Platform
	// Quick leaves out the versions of emulators: no interpreter is run.
	Quick bool
	// Rootless looks with the eyes of an engine that is root of a user namespace:
	// the emulators are those that it would have. What a plain user lacks for such
	// a namespace is told as well.
	Rootless bool
	// User is the plain user's name; empty is this process's user.
	User string
}

// Facts is all that `archbuild detect` knows of a machine. It prints as JSON.
type Facts struct {
	Host   HostFacts   `json:"host"`
	Kernel KernelFacts `json:"kernel"`
	Binfmt Binfmt      `json:"binfmt"`
	// Platforms holds the verdict on each of Options.Platforms, sorted.
	Platforms []Ability `json:"platforms"`
	// Rootless is nil unless it was asked for by a plain user.
	Rootless *RootlessFacts `json:"rootless,omitempty"`
	// Runc is nil when there is none that works; Missing says so.
	Runc *RuncFacts `json:"runc,omitempty"`
	// Missing is in the order in which its commands are to be run.
	Missing []Missing `json:"missing"`
}

// All looks at everything. What is absent is a fact and no error; an error
// means that the machine could not be read at all, or that ctx ended.
func All(ctx context.Context, o Options) (Facts, error) {
	host, err := Host(ctx, o)
	if err != nil {
		return Facts{}, err
	}
	binfmt, err := Emulators(ctx, o)
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Host: host, Kernel: Kernel(o), Binfmt: binfmt}
	for _, p := range o.platforms() {
		f.Platforms = append(f.Platforms, CanRun(host, binfmt, p))
	}
	runc, runcErr := o.findRunc(ctx)
	if err := ctx.Err(); err != nil {
		return Facts{}, err
	}
	if runcErr == nil {
		f.Runc = &runc
	}
	if o.Rootless && (o.User != "" || os.Geteuid() != 0) {
		rootless := Rootless(ctx, o)
		f.Rootless = &rootless
	}
	f.Missing = missing(o, f, runcErr)
	return f, nil
}

func (o Options) root() string {
	if o.Root == "" {
		return "/"
	}
	return o.Root
}

// Real says whether Options describe the machine that runs this.
func (o Options) Real() bool { return o.root() == "/" && o.Proc == "" }

// ProcPath finds a file below procfs.
func (o Options) ProcPath(path string) string {
	if o.Proc != "" {
		return filepath.Join(o.Proc, path)
	}
	return filepath.Join(o.root(), "proc", path)
}

// Path finds a file of the tree looked at. Absolute links point into the tree.
func (o Options) Path(name string) string {
	for range 40 {
		full := filepath.Join(o.root(), name)
		target, err := os.Readlink(full)
		if err != nil {
			return full
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		name = target
	}
	return filepath.Join(o.root(), name)
}

func (o Options) exists(name string) bool {
	_, err := os.Stat(o.Path(name))
	return err == nil
}

// asks says whether a platform of an architecture is asked about.
func (o Options) asks(arch string) bool { return len(o.Platforms) == 0 || hasArch(o.Platforms, arch) }

func (o Options) platforms() []platform.Platform {
	list := o.Platforms
	if len(list) == 0 {
		for _, p := range platform.All() {
			if p.OS == "linux" {
				list = append(list, p)
			}
		}
	}
	return sorted(list)
}
