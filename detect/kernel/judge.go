package kernel

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/detect"
)

// check answers one need. What was seen or tried comes before what files say
// of the kernel, for they may be of another one.
func (m *machine) check(n need) detect.Check {
	c := detect.Check{Name: n.name, Group: n.group, Status: detect.OK}
	a := m.answer(n)
	c.Detail, c.Source = a.detail, a.source
	switch {
	case a.known && a.yes:
		return c
	case !a.known:
		c.Status = detect.Unknown
	case n.builds != "":
		c.Status = detect.Lacking
	default:
		c.Status = detect.Degraded
	}
	c.Affects, c.NoBuild = n.affects(), n.noBuild()
	if a.known {
		c.Fix = m.fix(n, a)
	}
	return c
}

// affects says who is concerned: builds first, then who runs images here.
func (n need) affects() string {
	running := "running images on this machine: " + n.hosts
	switch {
	case n.hosts == "":
		return n.builds + n.slower
	case n.builds != "":
		return n.builds + "; " + running
	case n.slower != "":
		return "builds: " + n.slower + "; " + running
	}
	return "no build; " + running
}

// noBuild says that only who runs images here is concerned.
func (n need) noBuild() bool { return n.builds == "" && n.slower == "" && n.hosts != "" }

func (m *machine) answer(n need) answer {
	for _, sign := range n.signs {
		if m.exists(sign) {
			return answer{known: true, yes: true, detail: sign + " is there", source: sign}
		}
	}
	if n.filesystem != "" && m.filesystems[n.filesystem] {
		return answer{known: true, yes: true, detail: "the kernel has it now", source: "/proc/filesystems"}
	}
	tried, wasTried := m.tried[n.trial]
	if wasTried && tried.Verdict == works {
		return answer{known: true, yes: true, detail: "it works here", source: "tried"}
	}
	a := m.alternatives(n.any)
	switch {
	case wasTried && tried.Verdict == absent && !a.uninstalled:
		return answer{known: true, detail: tried.detail(a), source: "tried"}
	case a.known:
		return a
	case n.filesystem != "" && !m.modular && len(m.filesystems) > 0:
		return answer{known: true, detail: "the kernel does not have it, and loads no modules", source: "/proc/filesystems"}
	case wasTried && tried.Text != "":
		a.detail += "; it could not be tried: " + tried.Text
	}
	return a
}

// detail joins what was tried with what files say.
func (t trial) detail(files answer) string {
	text := "it does not work here: " + t.Text
	switch {
	case files.known && files.yes:
		text += fmt.Sprintf("; but the kernel was built with it (%s in %s)", files.detail, files.source)
	case files.known:
		text += fmt.Sprintf("; %s in %s", files.detail, files.source)
	}
	return text
}

// alternatives takes the first alternative that is there; else it is not there
// if all are known not to be. The answer in words is that of the first.
func (m *machine) alternatives(list []string) answer {
	var result answer
	for i, options := range list {
		a := m.all(strings.Split(options, "+"))
		if a.known && a.yes {
			return a
		}
		switch {
		case i == 0:
			result = a
		case !a.known && result.known:
			result = a
		case a.uninstalled && !result.uninstalled:
			result = a
		}
	}
	return result
}

// joined says "A and B are not set" where several are not.
func joined(details []string) string {
	const unset = " is not set"
	var names []string
	for _, d := range details {
		if name, ok := strings.CutSuffix(d, unset); ok {
			names = append(names, name)
		}
	}
	if len(names) < 2 || len(names) < len(details) {
		return strings.Join(details, ", ")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] + " are not set"
}

// all is there if every option is, and not there if one is known not to be.
func (m *machine) all(options []string) answer {
	var first, unknown, no *answer
	var details []string
	for _, name := range options {
		a := m.option(name)
		switch {
		case !a.known && unknown == nil:
			unknown = &a
		case a.known && !a.yes:
			details = append(details, a.detail)
			if no == nil || a.uninstalled {
				no = &a
			}
		case first == nil && a.known:
			first = &a
		}
	}
	switch {
	case no != nil:
		no.detail = joined(details)
		return *no
	case unknown != nil:
		return *unknown
	case first == nil:
		return answer{}
	}
	return *first
}
