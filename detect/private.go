package detect

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// PrivateEmulators lists what an engine of a plain user registers for itself,
// by name. Since Linux 6.7 a user namespace can have a registry of its own, in
// which its root may register. It hides the machine's, so there is none
// (nil, which is also the answer for older kernels) unless it serves all that
// the machine's serves in containers, and more.
func PrivateEmulators(ctx context.Context, o Options) []Registration {
	// Every platform counts, whichever one a build is for: the engine is shared.
	o.Platforms, o.Quick = nil, true
	return privateEmulators(ctx, o, readBinfmt(o)).list
}

// registry is a registry of a user namespace's own.
type registry struct {
	// possible says that the kernel lets it be and nothing would be lost by it.
	possible bool
	list     []Registration
}

func privateEmulators(ctx context.Context, o Options, machine Binfmt) registry {
	o.Platforms = nil
	host, err := Host(ctx, o)
	if err != nil || !o.mayOwnBinfmt(machine) {
		return registry{}
	}
	own := map[string]Registration{}
	gains := false
	for _, p := range platform.All() {
		entry, found := serving(machine, p)
		works := false
		if found && entry.Enabled && machine.Enabled {
			works, _ = worksInContainers(entry, o.Path(entry.Interpreter))
		}
		r, can := o.ownRegistration(host, p)
		switch {
		case works && !can:
			return registry{}
		case can:
			own[r.Name] = r
			gains = gains || !works
		}
	}
	if !gains {
		return registry{possible: true}
	}
	return registry{possible: true, list: sortedRegistrations(own)}
}

func sortedRegistrations(byName map[string]Registration) []Registration {
	var list []Registration
	for _, r := range byName {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Registration) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ownRegistration is that of an installed emulator for a platform that the CPU
// does not run.
func (o Options) ownRegistration(host HostFacts, p platform.Platform) (Registration, bool) {
	r, ok := RegistrationFor(p)
	if !ok || hasArch(host.Native, p.Arch) {
		return Registration{}, false
	}
	path, installed := interpreter(o, p)
	r.Interpreter = path
	return r, installed
}

// mayOwnBinfmt says whether the kernel gives user namespaces registries.
func (o Options) mayOwnBinfmt(machine Binfmt) bool {
	return (machine.Supported || hasModule(o, "binfmt_misc")) && KernelAtLeast(readLine(o.ProcPath("sys/kernel/osrelease")), 6, 7)
}

// KernelAtLeast compares a release as uname tells it: 6.18.44-fc, 6.7-rc1.
func KernelAtLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}

// asSeenBy is the registry that an engine of a plain user will have.
func (b Binfmt) asSeenBy(own registry) Binfmt {
	b.Private = own.possible
	if len(own.list) == 0 {
		return b
	}
	b.Supported, b.Known, b.Enabled = true, true, true
	b.Entries = nil
	b.Notes = []string{"an engine of a plain user registers these emulators in its own namespace, for itself alone"}
	for _, r := range own.list {
		e := Emulator{Name: r.Name, Interpreter: r.Interpreter, Flags: "F", Enabled: true, Private: true}
		for _, p := range platform.All() {
			if same, ok := RegistrationFor(p); ok && same.Name == r.Name {
				e.Platforms = append(e.Platforms, p)
			}
		}
		e.Platforms = sorted(e.Platforms)
		b.Entries = append(b.Entries, e)
	}
	return b
}
