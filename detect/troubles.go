package detect

import (
	"fmt"
	"slices"
	"strings"
)

// trouble is what users of qemu's user-mode emulators reported of a range of
// versions, and where.
type trouble struct {
	// arch is the emulated architecture, host that of the machine; empty is any.
	arch, host string
	// since is the first version with it, and fixed the first without it of every
	// line of versions that got a fix, ascending; none is fixed where it is empty.
	since string
	fixed []string
	// linux is the first kernel with which it shows, as major and minor.
	linux [2]int
	// text says what happens, affects to whom.
	text, affects string
	// seen names the reports.
	seen string
	// rare says that few builds can meet it: it is told and degrades nothing.
	rare bool
}

// troubles of qemu, older versions first. A version is only here with a report of
// it; that one is not here says little.
var troubles = []trouble{
	{
		arch: "arm64", fixed: []string{"5.0.0"},
		text: "ldconfig of Debian 11 and later crashes", affects: "apt-get install in images of Debian 11 and later",
		seen: "moby/moby#43039, launchpad.net/bugs/1928075",
	},
	{
		since: "5.2.0", fixed: []string{"6.0.0"},
		text: "a static qemu crashes where it finds no room for the program's memory", affects: "any RUN step",
		seen: "go-debos/debos#261, bugs.debian.org/988174",
	},
	{
		since: "7.2.0", fixed: []string{"8.0.0"},
		text: "programs of Go 1.23.0 and 1.23.1 cannot start others", affects: "the go command of golang:1.23.0 and 1.23.1",
		seen: "golang/go#68976", rare: true,
	},
	{
		arch: "arm64", host: "amd64", fixed: []string{"7.2.17", "8.2.10", "9.2.2"}, linux: [2]int{6, 8},
		text: "programs crash at random (signal 11) with the address randomisation of newer kernels", affects: "any RUN step, compilers and package managers most",
		seen: "tonistiigi/binfmt#215, actions/runner-images#11662, home-assistant/builder#229",
	},
	{
		arch: "arm64", since: "8.1.0", fixed: []string{"8.2.10", "9.2.2"},
		text: "ldconfig of Ubuntu 22.04 and Debian 11 crashes (signal 11)", affects: "apt-get install in their images",
		seen: "tonistiigi/binfmt#240, docker/setup-qemu-action#201, docker/for-win#15004",
	},
	{
		arch: "arm64", since: "10.1.3", fixed: []string{"10.1.4"},
		text: "ldconfig of Ubuntu 22.04 crashes (signal 11)", affects: "apt-get install in its images",
		seen: "tonistiigi/binfmt#298",
	},
	{
		arch: "amd64", host: "arm64", since: "8.0.0",
		text: "programs of Go crash at random", affects: "the go command, and programs written in Go",
		seen: "golang/go#69255, rancher-sandbox/rancher-desktop#8606",
	},
}

// EmulatorTroubles tells which of the emulators that would serve a platform here are
// known for crashes, by their version, the kernel's and the CPU: one check for each, by
// name, degraded unless few builds can meet what it is known for. It is pure. Versions
// that are not seen are not judged.
func EmulatorTroubles(f Facts) []Check {
	var list []Check
	for _, e := range f.Binfmt.Entries {
		if !slices.ContainsFunc(f.Platforms, func(a Ability) bool { return a.How == Emulated && a.Emulator == e.Name }) {
			continue
		}
		if c, troubled := e.troubled(f.Host); troubled {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// troubled joins what is known of one emulator.
func (e Emulator) troubled(h HostFacts) (c Check, troubled bool) {
	c = Check{Name: fmt.Sprintf("%s %s", e.Name, e.Version), Group: "emulation", Status: OK, Source: e.Interpreter}
	var texts, affects []string
	for _, t := range troubles {
		if t.concerns(e, h) {
			texts = append(texts, fmt.Sprintf("%s (%s)", t.text, t.seen))
			affects = append(affects, t.affects)
			if !t.rare {
				c.Status = Degraded
			}
		}
	}
	c.Detail = fmt.Sprintf("qemu %s is known for this: %s", e.Version, strings.Join(texts, "; "))
	if c.Status == Degraded {
		c.Affects = fmt.Sprintf("RUN steps for %s: %s", join(e.Platforms), strings.Join(affects, "; "))
		c.Fix = "install a newer qemu-user-static, or build for " + join(e.Platforms) + " on a node of its own (--node)"
	}
	return c, len(texts) > 0
}

func (t trouble) concerns(e Emulator, h HostFacts) bool {
	v := parseVersion(e.Version)
	switch {
	case v == (runcRelease{}) || t.arch != "" && !hasArch(e.Platforms, t.arch):
		return false
	case t.host != "" && t.host != h.Kernel.Arch:
		return false
	case t.since != "" && v.compare(parseVersion(t.since)) < 0:
		return false
	case t.linux[0] > 0 && !KernelAtLeast(h.Release, t.linux[0], t.linux[1]):
		return false
	}
	return len(t.fixed) == 0 || !advisory{fixed: t.fixed}.isFixed(e.Version)
}
