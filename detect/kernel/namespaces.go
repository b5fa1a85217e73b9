package kernel

import (
	"fmt"
	"os"

	"github.com/archbuild/archbuild/detect"
)

// namespace is one kind.
type namespace struct {
	// kind as /proc/self/ns calls it, and as messages do.
	kind, name string
	option     string
	// limit is the setting below user. that bounds how many there may be.
	limit         string
	builds, hosts string
	// major and minor are the first Linux that has it, if that is later than 3.8.
	major, minor int
}

var namespaces = []namespace{
	{kind: "mnt", name: "mount namespaces", option: "NAMESPACES", limit: "max_mnt_namespaces", builds: everyRun, hosts: "every container"},
	{kind: "pid", name: "pid namespaces", option: "PID_NS", limit: "max_pid_namespaces", builds: everyRun, hosts: "every container"},
	{kind: "ipc", name: "ipc namespaces", option: "IPC_NS", limit: "max_ipc_namespaces", builds: everyRun, hosts: "every container"},
	{kind: "uts", name: "uts namespaces", option: "UTS_NS", limit: "max_uts_namespaces", builds: everyRun, hosts: "every container"},
	{kind: "net", name: "network namespaces", option: "NET_NS", limit: "max_net_namespaces", builds: "", hosts: "every container but those with the host's network"},
	{kind: "user", name: "user namespaces", option: "USER_NS", limit: "max_user_namespaces", hosts: "rootless Docker and Podman, userns-remap, Kubernetes with hostUsers: false"},
	{kind: "cgroup", name: "cgroup namespaces", option: "CGROUPS", limit: "max_cgroup_namespaces", hosts: "containers that see control groups of their own, as Docker gives them with cgroup v2", major: 4, minor: 6},
	{kind: "time", name: "time namespaces", option: "TIME_NS", limit: "max_time_namespaces", hosts: "containers with a clock of their own, which only a few ask for", major: 5, minor: 6},
}

func (m *machine) namespaceChecks() []detect.Check {
	list := make([]detect.Check, 0, len(namespaces))
	for _, n := range namespaces {
		list = append(list, m.namespace(n))
	}
	return list
}

// namespace judges one kind: whether the kernel has it, whether there may be
// any, and whether this process may make one.
func (m *machine) namespace(n namespace) detect.Check {
	as := n.need(m.o.Rootless)
	c := detect.Check{Name: n.name, Group: groupNamespaces, Status: detect.OK}
	a := m.namespaceAnswer(n)
	c.Detail, c.Source = a.detail, a.source
	if a.known && !a.yes {
		c.Fix = m.fix(need{any: []string{n.option}}, a)
		if m.virtual == "" && m.before(n.major, n.minor) {
			c.Fix = fmt.Sprintf("a kernel of Linux %d.%d or later", n.major, n.minor)
		}
	}
	if a.yes {
		a.yes, c.Fix = m.allowed(n, &c)
	}
	switch {
	case !a.known:
		c.Status = detect.Unknown
	case a.yes:
		return c
	case as.builds != "":
		c.Status = detect.Lacking
	default:
		c.Status = detect.Degraded
	}
	c.Affects, c.NoBuild = as.affects(), as.noBuild()
	return c
}

// need is who is concerned. An engine of a plain user lives in a user namespace.
func (n namespace) need(rootless bool) need {
	as := need{builds: n.builds, hosts: n.hosts}
	switch {
	case n.kind == "net":
		as.slower = "RUN --network=none fails"
	case n.kind == "user" && rootless:
		as.builds = "builds as a plain user"
	case n.kind == "user":
		as.slower = "only root can build"
	}
	return as
}

func (m *machine) namespaceAnswer(n namespace) answer {
	sign := "/proc/self/ns/" + n.kind
	switch {
	case m.exists(sign):
		return answer{known: true, yes: true, detail: "the kernel has them", source: sign}
	case m.exists("/proc/self/ns/mnt") || m.exists("/proc/self/ns/uts") || m.exists("/proc/self/ns/ipc"):
		return answer{known: true, detail: "the kernel has none", source: "/proc/self/ns"}
	}
	if m.before(n.major, n.minor) {
		return answer{known: true, detail: "Linux " + m.release + " has none", source: "/proc/sys/kernel/osrelease"}
	}
	return m.all([]string{n.option})
}

// allowed looks at limits and switches, and at what trying showed. It tells in
// the check what is in the way.
func (m *machine) allowed(n namespace, c *detect.Check) (ok bool, fix string) {
	limit := "/proc/sys/user/" + n.limit
	if readLine(m.o.ProcPath("sys/user/"+n.limit)) == "0" {
		c.Detail, c.Source = "the kernel has them, but none is allowed: user."+n.limit+" is 0", limit
		return false, "sysctl -w user." + n.limit + "=15000"
	}
	t, wasTried := m.tried["ns:"+n.kind]
	if n.kind == "user" && (os.Geteuid() == 0 || t.Verdict != works) { // AppArmor may let this one program
		if s, closed := detect.ClosedSwitch(m.o); closed {
			c.Detail = fmt.Sprintf("the kernel has them, but not for plain users: %s is %s", s.Name, s.Is)
			c.Source = "/proc/sys/" + s.File()
			return false, fmt.Sprintf("sysctl -w %s=%s", s.Name, s.Open)
		}
	}
	switch {
	case wasTried && t.Verdict == works:
		c.Detail, c.Source = "it works here", "tried"
	case wasTried && t.Verdict != unknown:
		c.Detail, c.Source = "the kernel has them, but this process may not make one: "+t.Text, "tried"
		if n.builds == "" && (n.kind != "user" || os.Geteuid() == 0) {
			return true, "" // it says nothing of other processes, and the engine gets along without
		}
		return false, "run it as root on the machine itself; a container must be started with --privileged, or with " +
			"--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
	case wasTried:
		c.Detail += "; whether this process may make one could not be tried: " + t.Text
	default:
		if limits := readLine(m.o.ProcPath("sys/user/" + n.limit)); limits != "" {
			c.Detail += ", up to " + limits
		}
	}
	return true, ""
}
