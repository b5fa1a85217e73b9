package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Missing is something a build could need and this machine does not have.
type Missing struct {
	// What is missing, and what it Affects: clauses without full stop.
	What    string `json:"what"`
	Affects string `json:"affects"`
	// Command supplies it, run by root in a shell, on Debian and Ubuntu where
	// it installs something. Empty when no command can: then Hint says what
	// can be done.
	Command string `json:"command,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// For are the platforms whose programs do not run without it; none where it is
	// about something else. Entry says that it is an entry of binfmt_misc, which
	// Register makes as well.
	For   []platform.Platform `json:"-"`
	Entry bool                `json:"-"`
}

// missing lists what f shows to be absent, in the order in which it has to be
// supplied.
func missing(o Options, f Facts, runcErr error) []Missing {
	list := []Missing{}
	list = append(list, missingRunc(runcErr)...)
	list = append(list, missingKernel(o, f.Kernel)...)
	if f.Rootless != nil {
		list = append(list, f.Rootless.Lacks...)
		list = append(list, f.Rootless.few(o)...)
	}
	return append(list, missingEmulators(o, f)...)
}

func missingRunc(err error) []Missing {
	m := Missing{Affects: "every build with a RUN step", Command: "apt-get install -y runc"}
	switch {
	case err == nil:
		return nil
	case isNotFound(err):
		m.What = "runc, which runs the steps of a build"
	default:
		m.What = "a runc that works: " + err.Error()
	}
	return []Missing{m}
}

func missingKernel(o Options, k KernelFacts) []Missing {
	var list []Missing
	if !k.Overlayfs {
		list = append(list, Missing{
			What: "overlayfs in the kernel", Affects: "speed: layers are copied where they could be stacked",
			Hint: "use a kernel with CONFIG_OVERLAY_FS",
		})
	}
	if k.Overlayfs && o.Rootless && !KernelAtLeast(readLine(o.ProcPath("sys/kernel/osrelease")), 5, 11) {
		list = append(list, Missing{
			What: "overlayfs for plain users", Affects: "speed: layers are copied where they could be stacked",
			Hint: "use Linux 5.11 or later; kernels of Debian and Ubuntu may have it before",
		})
	}
	if k.Cgroups == "none" { // runc looks for them for a plain user too, who cannot write there
		list = append(list, Missing{
			What: "cgroups", Affects: "every build with a RUN step",
			Command: "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup",
		})
	}
	return list
}

// missingEmulators tells what stands between this machine and the platforms
// that it cannot run: the kernel's part, the mount, the switch, the program,
// the entry.
func missingEmulators(o Options, f Facts) []Missing {
	foreign := notRunning(f)
	if len(foreign) == 0 {
		return nil
	}
	affects := "RUN steps for " + join(foreign)
	var list []Missing
	switch b := f.Binfmt; {
	case !b.Supported && !hasModule(o, "binfmt_misc"):
		return []Missing{{
			What: "binfmt_misc in the kernel, which emulators need", Affects: affects, For: foreign,
			Hint: "use a kernel with CONFIG_BINFMT_MISC, or a native node for these platforms (--node)",
		}}
	case b.Mounted == "":
		list = append(list, Missing{What: "binfmt_misc is not mounted", Affects: affects, For: foreign, Command: MountBinfmt})
	case !b.Enabled:
		list = append(list, Missing{What: "emulators are switched off", Affects: affects, For: foreign, Command: "echo 1 > " + b.Mounted + "/status"})
	}
	if f.Binfmt.Private {
		list = nil
	}
	install, register := emulatorSteps(o, f, foreign)
	if f.Binfmt.Private {
		register = nil
	}
	if len(install) > 0 {
		list = append(list, Missing{
			What: "an emulator for " + join(install), Affects: "RUN steps for " + join(install), For: install,
			Command: "apt-get install -y qemu-user-static",
		})
	}
	return append(list, register...)
}

// emulatorSteps sorts the platforms into those whose emulator must be
// installed, and the entries that must be made or mended, one per emulator.
// Where systemd runs, installing the package registers as well.
func emulatorSteps(o Options, f Facts, foreign []platform.Platform) (install []platform.Platform, register []Missing) {
	systemd := o.exists("/run/systemd/system")
	steps := map[string]int{} // entry name → its place in register
	var served [][]platform.Platform
	for _, p := range foreign {
		r, ok := RegistrationFor(p)
		if !ok || hasArch(f.Host.Native, p.Arch) {
			continue
		}
		path, installed := interpreter(o, p)
		if !installed {
			install = append(install, p)
			if systemd {
				continue
			}
		} else {
			r.Interpreter = path
		}
		i, seen := steps[r.Name]
		if !seen {
			entry, found := serving(f.Binfmt, p)
			what, command, needed := mend(f.Binfmt, entry, found, r)
			switchedOff := found && entry.Containers
			if !needed {
				continue
			}
			i = len(register)
			steps[r.Name] = i
			register, served = append(register, Missing{What: what, Command: command, Entry: !switchedOff}), append(served, nil)
		}
		served[i] = append(served[i], p)
		register[i].Affects, register[i].For = "RUN steps for "+join(served[i]), served[i]
	}
	return install, register
}

// mend is the command that makes an entry serve.
func mend(b Binfmt, entry Emulator, found bool, r Registration) (what, command string, needed bool) {
	at := b.Mounted
	if at == "" {
		at = binfmtDir
	}
	switch {
	case !found:
		return "the entry " + r.Name + " of binfmt_misc", r.Command(), true
	case !entry.Containers:
		return fmt.Sprintf("an entry %s that works in containers", entry.Name),
			fmt.Sprintf("echo -1 > %s/%s && %s", at, entry.Name, r.Command()), true
	case !entry.Enabled:
		return fmt.Sprintf("the entry %s is switched off", entry.Name), fmt.Sprintf("echo 1 > %s/%s", at, entry.Name), true
	}
	return "", "", false
}

// interpreter finds a static qemu for a platform. Debian 13 and later call it
// qemu-ARCH, and it is static there.
func interpreter(o Options, p platform.Platform) (path string, ok bool) {
	name := "/usr/bin/qemu-" + p.Names().QEMU
	for _, path := range []string{name + "-static", name} {
		if program, err := readELF(o.Path(path)); err == nil && program.static {
			return path, true
		}
	}
	return "", false
}

func notRunning(f Facts) []platform.Platform {
	var list []platform.Platform
	for _, a := range f.Platforms {
		if a.How == No && a.Platform.OS == "linux" {
			list = append(list, a.Platform)
		}
	}
	return list
}

func join(list []platform.Platform) string {
	words := make([]string, 0, len(list))
	for _, p := range list {
		words = append(words, p.String())
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
