package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// How says in what way programs of a platform run.
type How string

// The ways.
const (
	Native   How = "native"
	Emulated How = "emulated"
	No       How = "no"
)

// Ability is the verdict on one platform.
type Ability struct {
	Platform platform.Platform `json:"platform"`
	How      How               `json:"how"`
	// Emulator is the name of the entry that serves it, if Emulated.
	Emulator string `json:"emulator,omitempty"`
	// Private says that a plain user's engine registers it for itself alone.
	Private bool `json:"private,omitempty"`
	// Reason is on what the verdict rests: a clause without full stop.
	Reason string `json:"reason,omitempty"`
}

// CanRun tells how RUN steps of a platform run in containers on this machine.
// It is pure: the same facts give the same verdict. An enabled entry of
// binfmt_misc comes before the CPU, since the kernel asks it first.
func CanRun(host HostFacts, binfmt Binfmt, p platform.Platform) Ability {
	a := Ability{Platform: p, How: No}
	if p.OS != "linux" {
		a.Reason = fmt.Sprintf("programs of %s do not run on Linux", p.OS)
		return a
	}
	entry, found := serving(binfmt, p)
	active := found && entry.Enabled && binfmt.Enabled
	switch {
	case active && entry.Containers:
		a.How, a.Emulator, a.Reason = Emulated, entry.Name, "by "+entry.Interpreter
		if entry.Version != "" {
			a.Reason += " " + entry.Version
		}
		if a.Private = entry.Private; a.Private {
			a.Reason += ", registered privately"
		}
	case active:
		a.Reason = fmt.Sprintf("%s does not work in containers: %s", entry.Name, entry.Reason)
	case slices.ContainsFunc(host.Native, p.Serves):
		a.How = Native
		if p.Arch != host.Kernel.Arch {
			a.Reason = fmt.Sprintf("the %s kernel runs %s programs", host.Kernel.Arch, p.Arch)
		}
	default:
		a.Reason = whyNot(host, binfmt, entry, p)
	}
	return a
}

// serving is the entry for a platform; the best one when there are several,
// since the kernel does not tell which it asks first.
func serving(binfmt Binfmt, p platform.Platform) (best Emulator, found bool) {
	rank := func(e Emulator) int {
		switch {
		case e.Enabled && e.Containers:
			return 2
		case e.Enabled:
			return 1
		}
		return 0
	}
	for _, e := range binfmt.Entries {
		if e.serves(p) && (!found || rank(e) > rank(best)) {
			best, found = e, true
		}
	}
	return best, found
}

func whyNot(host HostFacts, binfmt Binfmt, entry Emulator, p platform.Platform) string {
	switch {
	case hasArch(host.Native, p.Arch):
		return fmt.Sprintf("this CPU runs %s only", strings.Join(spellings(host.Native, p.Arch), ", "))
	case entry.Name != "" && !binfmt.Enabled:
		return "all emulators are switched off"
	case entry.Name != "":
		return fmt.Sprintf("the emulator %s is switched off", entry.Name)
	case !binfmt.Supported:
		return "the kernel has no binfmt_misc, which emulators need"
	case !binfmt.Known:
		return "no emulator is seen: binfmt_misc is not mounted here"
	}
	return "no emulator is registered"
}

func hasArch(list []platform.Platform, arch string) bool {
	return slices.ContainsFunc(list, func(q platform.Platform) bool { return q.Arch == arch })
}

func spellings(list []platform.Platform, arch string) []string {
	var words []string
	for _, q := range list {
		if q.Arch == arch {
			words = append(words, q.String())
		}
	}
	return words
}
