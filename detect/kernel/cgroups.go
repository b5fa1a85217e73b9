package kernel

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/detect"
)

// groups is what the kernel shows of control groups.
type groups struct {
	// mode is v1, v2, hybrid or none, by what is mounted.
	mode string
	// v1 are the controllers in /proc/cgroups; nil if there is no such file.
	v1 map[string]v1Controller
	// v2 are the controllers that the root of the v2 mount offers, and v2At is
	// that mount; empty if there is none.
	v2   []string
	v2At string
}

type v1Controller struct {
	// mounted says that a v1 hierarchy has it.
	mounted bool
	// enabled is false when it was switched off at the start.
	enabled bool
}

func readGroups(o detect.Options) groups {
	g := groups{mode: detect.Kernel(o).Cgroups}
	for line := range strings.Lines(string(read(o.ProcPath("cgroups")))) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(line, "#") {
			continue
		}
		if g.v1 == nil {
			g.v1 = map[string]v1Controller{}
		}
		hierarchy, _ := strconv.Atoi(fields[1])
		g.v1[fields[0]] = v1Controller{mounted: hierarchy > 0, enabled: fields[3] == "1"}
	}
	for _, at := range detect.Mounts(o, "cgroup2") {
		g.v2At = at
		g.v2 = strings.Fields(readLine(o.Path(path.Join(at, "cgroup.controllers"))))
		break
	}
	return g
}

// controller is one that containers ask for.
type controller struct {
	// name as it is told, v1 and v2 as the kernel calls it; v2 is one of the three
	// words below where v2 does not list it.
	name, v1, v2 string
	// options are what it takes, for v1 and for v2 if that is another.
	options, options2     string
	builds, slower, hosts string
}

const (
	always   = "always"   // a part of v2 itself
	implicit = "implicit" // in v2 wherever the kernel has it
	byBPF    = "by BPF"   // in v2 a program that the runtime loads
)

var controllers = []controller{
	{name: "memory controller", v1: "memory", v2: "memory", options: "MEMCG",
		slower: "the engine's limit of memory is not kept", hosts: "limits of memory (docker run --memory), and Kubernetes, which does not start without it"},
	{name: "cpu controller", v1: "cpu", v2: "cpu", options: "CGROUP_SCHED+FAIR_GROUP_SCHED", hosts: "shares of CPU time, and Kubernetes, which does not start without it"},
	{name: "cpuset controller", v1: "cpuset", v2: "cpuset", options: "CPUSETS", hosts: "docker run --cpuset-cpus, and Kubernetes, which does not start without it"},
	{name: "pids controller", v1: "pids", v2: "pids", options: "CGROUP_PIDS", hosts: "limits of the number of processes: docker run --pids-limit, Kubernetes"},
	{name: "io controller", v1: "blkio", v2: "io", options: "BLK_CGROUP", hosts: "shares of disk access: docker run --blkio-weight"},
	{name: "devices controller", v1: "devices", v2: byBPF, options: "CGROUP_DEVICE", options2: "CGROUP_DEVICE+CGROUP_BPF+BPF_SYSCALL",
		builds: "every build with a RUN step by an engine of root", hosts: "every container of root"},
	{name: "freezer", v1: "freezer", v2: always, options: "CGROUP_FREEZER", hosts: "docker pause"},
	{name: "cpu accounting", v1: "cpuacct", v2: always, options: "CGROUP_CPUACCT", hosts: "docker stats; Kubernetes' measuring"},
	{name: "hugetlb controller", v1: "hugetlb", v2: "hugetlb", options: "CGROUP_HUGETLB", hosts: "huge pages of Kubernetes"},
	{name: "perf controller", v1: "perf_event", v2: implicit, options: "CGROUP_PERF", hosts: "measuring single containers with perf"},
}

// cgroupChecks are those on control groups as a whole, and on each controller.
func (m *machine) cgroupChecks() []detect.Check {
	list := []detect.Check{m.hierarchy()}
	for _, c := range controllers {
		list = append(list, m.controller(c))
	}
	return list
}

func (m *machine) hierarchy() detect.Check {
	c := detect.Check{Name: "control groups", Group: groupCgroups, Status: detect.OK, Source: "/proc/self/mountinfo"}
	switch m.groups.mode {
	case "v2":
		c.Detail = "v2, at " + m.groups.v2At
	case "hybrid":
		c.Detail = "hybrid: controllers of v1, with v2 at " + m.groups.v2At
	case "v1":
		c.Detail = "v1; Kubernetes 1.35 and later ask for v2"
	default:
		c.Status, c.Affects = detect.Lacking, everyRun+"; running images on this machine: every container"
		a := m.option("CGROUPS")
		there := m.groups.v1 != nil || m.filesystems["cgroup2"] || m.filesystems["cgroup"] || a.yes
		switch {
		case there && (m.filesystems["cgroup2"] || len(m.filesystems) == 0 || !m.filesystems["cgroup"]):
			c.Detail, c.Fix = "the kernel has them, but they are mounted nowhere", "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"
			if m.distribution.ID == "alpine" {
				c.Fix = "rc-service cgroups start && rc-update add cgroups"
			}
		case there:
			c.Detail, c.Fix = "the kernel has them (v1), but they are mounted nowhere", mountV1("devices")
		case a.known || len(m.filesystems) > 0:
			c.Detail, c.Source = "the kernel has none", "/proc/filesystems"
			if a.known {
				c.Detail, c.Source = a.detail, a.source
			}
			c.Fix = m.fix(need{any: []string{"CGROUPS"}}, a)
		default:
			c.Status, c.Detail = detect.Unknown, "neither mounts nor the kernel's list of file systems can be read here"
		}
	}
	return c
}

func mountV1(name string) string {
	return fmt.Sprintf("mkdir -p /sys/fs/cgroup/%[1]s && mount -t cgroup -o %[1]s cgroup /sys/fs/cgroup/%[1]s", name)
}

// controller judges one. Files of the running kernel come before its configuration.
func (m *machine) controller(c controller) detect.Check {
	check := detect.Check{Name: c.name, Group: groupCgroups, Status: detect.OK}
	if m.o.Rootless {
		c.builds = "" // such an engine has no control groups
	}
	if a, seen := m.seen(c); seen && a.yes {
		check.Detail, check.Source = a.detail, a.source
		return check
	} else if seen {
		check.Detail, check.Source = a.detail, a.source
		check.Fix = m.controllerFix(c)
	} else {
		n := need{any: []string{c.optionsFor(m.groups.mode)}}
		if c.v2 == byBPF && m.groups.mode == "v2" {
			n.trial = "devices"
		}
		a := m.answer(n)
		check.Detail, check.Source = a.detail, a.source
		switch {
		case a.known && a.yes && (c.v2 == byBPF || c.v2 == implicit || m.groups.mode == "none"):
			return check // that control groups are mounted nowhere is told once
		case a.known && a.yes:
			check.Detail += ", but the control groups that are seen here do not have it"
			check.Fix = m.delegate(c)
		case !a.known:
			as := c.need()
			check.Status, check.Affects, check.NoBuild = detect.Unknown, as.affects(), as.noBuild()
			return check
		default:
			check.Fix = m.fix(n, a)
		}
	}
	as := c.need()
	check.Status, check.Affects, check.NoBuild = detect.Degraded, as.affects(), as.noBuild()
	if c.builds != "" {
		check.Status = detect.Lacking
	}
	return check
}

func (c controller) optionsFor(mode string) string {
	if c.options2 != "" && mode == "v2" {
		return c.options2
	}
	return c.options
}

func (c controller) need() need { return need{builds: c.builds, slower: c.slower, hosts: c.hosts} }

// seen is what the running kernel shows of a controller; seen is false where it
// does not tell.
func (m *machine) seen(c controller) (a answer, seen bool) {
	g := m.groups
	v1, listed := g.v1[c.v1]
	switch {
	case slices.Contains(g.v2, c.v2):
		return answer{yes: true, detail: "given to control groups of v2", source: path.Join(g.v2At, "cgroup.controllers")}, true
	case g.mode == "v2" && c.v2 == always:
		return answer{yes: true, detail: "a part of control groups v2", source: "/proc/self/mountinfo"}, true
	case g.mode == "v2" && c.v2 == implicit && listed && v1.enabled:
		return answer{yes: true, detail: "the kernel has it", source: "/proc/cgroups"}, true
	case listed && !v1.enabled:
		return answer{detail: "the kernel has it, but it was switched off at the start" + m.switchedOffBy(c.v1), source: "/proc/cgroups"}, true
	case listed && v1.mounted:
		return answer{yes: true, detail: "in a hierarchy of v1", source: "/proc/cgroups"}, true
	case listed && g.mode == "v2" && c.v2 != byBPF:
		return answer{detail: "the kernel has it, but does not give it to the control groups that are seen here", source: path.Join(g.v2At, "cgroup.controllers")}, true
	case listed && g.mode != "v2" && g.mode != "none":
		return answer{detail: "the kernel has it, but no hierarchy of v1 with it is mounted", source: "/proc/cgroups"}, true
	case listed || len(g.v1) == 0 || m.config != nil:
		return answer{}, false // the configuration says more
	case g.mode == "v2" && (c.v2 == byBPF || !m.before(6, 14)):
		return answer{}, false // later kernels list there what v1 can have
	}
	return answer{detail: "the kernel does not list it", source: "/proc/cgroups"}, true
}

// switchedOffBy names the word of the command line that did it.
func (m *machine) switchedOffBy(name string) string {
	for _, word := range slices.Backward(m.cmdline) {
		list, ok := strings.CutPrefix(word, "cgroup_disable=")
		if ok && slices.Contains(strings.Split(list, ","), name) {
			return " (" + word + ")"
		}
	}
	return ""
}

// controllerFix switches a controller on that the kernel has.
func (m *machine) controllerFix(c controller) string {
	v1, listed := m.groups.v1[c.v1]
	if !listed {
		return m.fix(need{any: []string{c.options}}, answer{})
	}
	if v1.enabled {
		return m.delegate(c)
	}
	word := "cgroup_enable=" + c.v1
	if c.v1 == "memory" {
		word += " cgroup_memory=1"
	}
	switch by := m.switchedOffBy(c.v1); {
	case m.isRaspberry():
		// The firmware puts cgroup_disable before what is in the file; the later word wins.
		return fmt.Sprintf("sed -i 's/$/ %s/' %s && reboot", word, m.bootLine())
	case by != "":
		return "take " + c.v1 + " out of " + strings.Trim(by, " ()") + " on the kernel command line" + m.bootloader() + ", and restart"
	}
	return "add " + word + " to the kernel command line" + m.bootloader() + ", and restart"
}

// isRaspberry goes by the board's name, which also tells it on other distributions.
func (m *machine) isRaspberry() bool {
	return m.distribution.ID == "raspbian" ||
		strings.HasPrefix(string(read(m.o.ProcPath("device-tree/model"))), "Raspberry Pi")
}

// bootLine is the file with the command line of a Raspberry Pi: since Debian 12 and
// on Ubuntu below firmware.
func (m *machine) bootLine() string {
	const now, before = "/boot/firmware/cmdline.txt", "/boot/cmdline.txt"
	if !m.exists(now) && m.exists(before) {
		return before
	}
	return now
}

func (m *machine) bootloader() string {
	switch d := m.distribution; {
	case d.Is("rhel", "centos", "fedora") || d.ID == "amzn":
		return " (grubby --update-kernel=ALL)"
	case m.exists("/etc/default/grub"):
		return " (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub)"
	case m.exists("/boot/extlinux/extlinux.conf"):
		return " (append in /boot/extlinux/extlinux.conf)"
	}
	return ""
}

// delegate is how a controller comes to where a process is that the kernel would
// give it to.
func (m *machine) delegate(c controller) string {
	if m.groups.mode == "v2" {
		return "write +" + c.v2 + " to cgroup.subtree_control of the control group above; a container gets it with --privileged"
	}
	return mountV1(c.v1)
}
