package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
)

// OfHost judges what this machine is: its userland against its kernel.
func OfHost(h detect.HostFacts) Check {
	c := Check{ID: "host-platform", Group: Host, Status: OK, Detail: fmt.Sprintf("%s, kernel %s", h.Platform, h.Release)}
	c.Brief = c.Detail
	if h.Mixed {
		c.Status = Degraded
		c.Detail = fmt.Sprintf("the programs here are %s, under a kernel of %s", h.Userland, h.Kernel)
		c.Affects = fmt.Sprintf("builds are for %s unless --platform says otherwise, and steps that ask uname -m hear of %s", h.Platform, h.Kernel)
		c.Fix = fmt.Sprintf("say which one you mean: --platform %s or --platform %s", h.Platform, h.Kernel)
	}
	return c
}

// OfKernel turns what package detect/kernel found into checks.
func OfKernel(list []detect.Check) []Check {
	var checks []Check
	for _, k := range list {
		c := from(k)
		c.ID, c.Group = "kernel-"+slug(k.Name), Kernel
		checks = append(checks, c)
	}
	return checks
}

// OfTroubles turns what is known of emulators, and what logs tell of them, into checks.
func OfTroubles(known []detect.Check, crashes detect.Check) []Check {
	var checks []Check
	for _, k := range known {
		c := from(k)
		c.ID, c.Group, c.Command = "emulator-known", Emulators, false
		checks = append(checks, c)
	}
	c := from(crashes)
	c.ID, c.Group, c.Command = "emulator-crashes", Emulators, false
	return append(checks, c)
}

// from is a check of package detect's; ID and group are the caller's.
func from(k detect.Check) Check {
	c := Check{Subject: k.Name, Status: k.Status, Detail: k.Detail, Affects: k.Affects, Fix: k.Fix, NoBuild: k.NoBuild}
	c.Command = !strings.Contains(k.Fix, "CONFIG_") // a list of options can be broken into lines
	if c.Detail == "" {
		c.Detail = string(k.Status)
	}
	if c.Status == OK {
		c.Affects, c.Fix, c.NoBuild = "", "", false
	}
	return c
}

// slug makes a name part of an ID.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}

// OfRunc judges the program that runs steps. err is why there is none, and hint what to
// do about it.
func OfRunc(runc *detect.RuncFacts, err error, hint string) Check {
	c := Check{ID: "engine-runc", Group: Engine, Status: OK}
	if runc == nil {
		c.Status, c.Affects, c.Fix = Missing, "every build with a RUN step", hint
		c.Detail = "runc, which runs the steps of a build, is not there"
		if err != nil {
			c.Detail = err.Error()
		}
		return c
	}
	c.Detail = fmt.Sprintf("runc %s (%s)", runc.Version, runc.Path)
	c.Brief = "runc " + runc.Version
	var texts, hints []string
	for _, w := range runc.Warnings {
		texts, hints = append(texts, w.Text), append(hints, w.Hint)
	}
	if len(texts) > 0 {
		c.Status, c.Detail, c.Fix = Degraded, strings.Join(texts, "; "), strings.Join(hints, "; ")
		c.Affects = "building Dockerfiles that you do not trust: a step could take over this machine"
	}
	return c
}

// OfEmulators judges how programs of each platform run here. wanted are those that
// somebody asked for: only they can be missing.
func OfEmulators(f detect.Facts, wanted []platform.Platform) []Check {
	var checks []Check
	var others []platform.Platform
	for _, a := range f.Platforms {
		c := Check{ID: "emulator", Group: Emulators, Subject: a.Platform.String(), Status: OK, Detail: string(a.How)}
		if a.Reason != "" {
			c.Detail += ": " + a.Reason
		}
		asked := slices.ContainsFunc(wanted, a.Platform.Serves)
		if asked {
			c.Brief = fmt.Sprintf("%s %s", a.Platform, a.How)
		}
		switch {
		case a.How == detect.Native:
			c.Detail = "needs none: " + c.Detail
		case a.How == detect.Emulated:
			if e, ok := entry(f.Binfmt, a.Emulator); ok && strings.Contains(e.Flags, "C") {
				c.Status = Degraded
				c.Detail += ", registered with the flag C"
				c.Affects = "a set-user-ID program of an image runs the emulator as root of this machine"
				c.Fix, c.Command = fmt.Sprintf("echo -1 > %s/%s && archbuild doctor --register-emulators", mounted(f.Binfmt), e.Name), true
			}
		case asked:
			c.Status, c.Detail = Missing, a.Reason
			c.Affects = fmt.Sprintf("RUN steps for %s", a.Platform)
			c.Fix, c.Command = mending(f, a.Platform)
		default:
			others = append(others, a.Platform)
			continue
		}
		checks = append(checks, c)
	}
	if len(others) > 0 {
		checks = append(checks, Check{
			ID: "emulator-others", Group: Emulators, Status: OK,
			Detail: "none for " + Names(others) + ", for which nobody asked (--platform asks)",
		})
	}
	return checks
}

func entry(b detect.Binfmt, name string) (detect.Emulator, bool) {
	for _, e := range b.Entries {
		if e.Name == name {
			return e, true
		}
	}
	return detect.Emulator{}, false
}

func mounted(b detect.Binfmt) string {
	if b.Mounted == "" {
		return "/proc/sys/fs/binfmt_misc"
	}
	return b.Mounted
}

// mending are the commands of package detect that have to do with a platform, in
// their order. An entry that is to be made is made by archbuild itself.
func mending(f detect.Facts, p platform.Platform) (fix string, command bool) {
	var lines []string
	command = true
	register := false
	for _, m := range f.Missing {
		if !slices.Contains(m.For, p) {
			continue
		}
		switch {
		case m.Entry:
			register = true
		case m.Command != "":
			lines = append(lines, m.Command)
		default:
			lines, command = append(lines, m.Hint), false
		}
	}
	if register {
		lines = append(lines, "archbuild doctor --register-emulators")
	}
	if len(lines) == 0 {
		return "use a native node for it: --node ADDRESS,platform=" + p.String(), false
	}
	return strings.Join(lines, "\n"), command
}

// OfMachine lists what an engine of this machine can be used for; starts says that
// this user can run one.
func OfMachine(f detect.Facts, name string, starts bool) []Platform {
	var list []Platform
	for _, a := range f.Platforms {
		p := Platform{Platform: a.Platform, How: No, Reason: a.Reason}
		switch {
		case !starts:
			p.Reason = "the engine cannot run here"
		case f.Runc == nil:
			p.How, p.Node, p.Reason = Copying, name, "runc is missing"
		case a.How == detect.Native:
			p.How, p.Node = Native, name
		case a.How == detect.Emulated:
			p.How, p.Node = Emulated, name
		}
		list = append(list, p)
	}
	return list
}
