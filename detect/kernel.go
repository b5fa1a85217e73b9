package detect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// KernelFacts are the kernel's features that a build needs.
type KernelFacts struct {
	// Overlayfs stacks layers; without it the engine copies them.
	Overlayfs bool `json:"overlayfs"`
	// Cgroups is v1, v2, hybrid (v1 controllers with v2 beside) or none.
	Cgroups string `json:"cgroups"`
	// UserNamespaces says whether a plain user may make one, which a rootless
	// engine needs; UserNamespacesReason says why not.
	UserNamespaces       bool   `json:"userNamespaces"`
	UserNamespacesReason string `json:"userNamespacesReason,omitempty"`
	// InUserNamespace says that this process is in one already.
	InUserNamespace bool `json:"inUserNamespace"`
}

// Kernel reads the features. What cannot be read is taken to be absent.
func Kernel(o Options) KernelFacts {
	k := KernelFacts{
		Overlayfs:       hasFilesystem(o, "overlay") || hasModule(o, "overlay"),
		Cgroups:         cgroups(o),
		InUserNamespace: inUserNamespace(o),
	}
	k.UserNamespacesReason = userNamespacesReason(o)
	k.UserNamespaces = k.UserNamespacesReason == ""
	return k
}

func cgroups(o Options) string {
	v1, v2 := len(Mounts(o, "cgroup")) > 0, len(Mounts(o, "cgroup2")) > 0
	switch {
	case v1 && v2:
		return "hybrid"
	case v1:
		return "v1"
	case v2:
		return "v2"
	}
	return "none"
}

// NamespaceSwitch is a setting that can keep plain users from user namespaces.
type NamespaceSwitch struct {
	// Name as sysctl spells it.
	Name string
	// Is closes them, Open would open them.
	Is, Open string
	// Cause says in words what it does.
	Cause string
}

// File is where the setting is, below /proc/sys.
func (s NamespaceSwitch) File() string { return strings.ReplaceAll(s.Name, ".", "/") }

// The kernel's own, Debian's (before 12) and Ubuntu's (from 23.10).
var namespaceSwitches = []NamespaceSwitch{
	{"user.max_user_namespaces", "0", "15000", "none are allowed"},
	{"kernel.unprivileged_userns_clone", "0", "1", "plain users may not make one"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0", "AppArmor restricts them"},
}

// userNamespacesReason is why a plain user may not make a user namespace.
func userNamespacesReason(o Options) string {
	if _, err := os.Lstat(o.ProcPath("self/ns/user")); err != nil {
		return "the kernel has none"
	}
	if s, closed := ClosedSwitch(o); closed {
		return fmt.Sprintf("%s: %s is %s", s.Cause, s.Name, s.Is)
	}
	return ""
}

// ClosedSwitch is the first setting that keeps plain users from user namespaces.
func ClosedSwitch(o Options) (s NamespaceSwitch, closed bool) {
	for _, s := range namespaceSwitches {
		if readLine(o.ProcPath("sys/"+s.File())) == s.Is {
			return s, true
		}
	}
	return NamespaceSwitch{}, false
}

// hasFilesystem says whether the kernel knows a file system type now.
func hasFilesystem(o Options, kind string) bool {
	for line := range strings.Lines(readFile(o.ProcPath("filesystems"), 64<<10)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[len(fields)-1] == kind {
			return true
		}
	}
	return false
}

// hasModule says whether the running kernel could load a module by that name.
func hasModule(o Options, name string) bool {
	dir := filepath.Join("/lib/modules", readLine(o.ProcPath("sys/kernel/osrelease")))
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		if strings.Contains(readFile(o.Path(filepath.Join(dir, list)), 16<<20), fmt.Sprintf("/%s.ko", name)) {
			return true
		}
	}
	return false
}

// Mounts are the mount points of a file system type in this mount namespace.
func Mounts(o Options, kind string) []string {
	var list []string
	for line := range strings.Lines(readFile(o.ProcPath("self/mountinfo"), 16<<20)) {
		before, after, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if len(where) > 4 && len(what) > 0 && what[0] == kind {
			list = append(list, unescapeMount.Replace(where[4]))
		}
	}
	return list
}

// unescapeMount undoes how mountinfo writes the four characters it must not
// show as they are.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
