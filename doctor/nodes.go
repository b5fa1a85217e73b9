package doctor

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
)

// Room on a disk, in bytes: below the first a build is likely to fail, below the
// second caches are thrown away early.
const (
	tight = 500 << 20
	small = 5 << 30
)

// OfNodes judges what nodes say of themselves. The private engine is judged with
// this machine.
func OfNodes(list []nodes.Facts) []Check {
	var checks []Check
	for _, f := range list {
		if f.Address != nodes.EngineAddress {
			checks = append(checks, ofNode(f)...)
		}
	}
	return checks
}

func ofNode(f nodes.Facts) []Check {
	check := func(id string, s Status, detail string) Check {
		return Check{ID: "node-" + id, Group: Nodes, Subject: f.Name, Status: s, Detail: detail}
	}
	if f.Error != "" {
		c := check("answers", Missing, "does not answer: "+f.Error)
		c.Affects, c.Fix = "builds that need it", cmp.Or(f.Hint, "start it, or leave it out; docs/nodes.md shows how nodes are started and reached")
		if len(f.Native) > 0 {
			c.Affects = "builds for " + Names(f.Native) + ", unless another node runs them natively or --emulation fallback is given"
		}
		return []Check{c}
	}
	answers := check("answers", OK, nodes.Shown(f.Address))
	answers.Brief = fmt.Sprintf("%s (%s)", f.Name, Names(f.Native))
	checks := []Check{answers, ofVersion(check, f.BuildKit)}
	platforms := check("platforms", OK, "native for "+Names(f.Native))
	if len(f.Emulated) > 0 {
		platforms.Detail += ", emulates " + Names(f.Emulated)
	}
	if f.Note != "" {
		platforms.Status, platforms.Detail = Degraded, f.Note
		platforms.Affects = "builds for that platform there"
		platforms.Fix = "look at platform= where the node is named (" + f.From + "), or start the server with that platform"
	}
	checks = append(checks, platforms)
	if f.Cores == nil {
		c := check("steps", Unknown, "a small program did not run there in time, or not at all")
		return append(checks, c)
	}
	steps := check("steps", OK, "a program ran there: "+strconv.Itoa(*f.Cores)+" cores")
	checks = append(checks, steps)
	if f.DiskFree != nil {
		checks = append(checks, room(check("disk", OK, ""), *f.DiskFree, "give its cache bounds in the buildkitd.toml of that server ([worker.oci] gc), or: buildctl prune"))
	}
	return checks
}

func ofVersion(check func(string, Status, string) Check, version string) Check {
	open, known := detect.OfBuildKit(version)
	switch {
	case !known:
		return check("version", Unknown, fmt.Sprintf("it says that its version is %q", ui.Line(version)))
	case open != nil:
		c := check("version", Degraded, open.Text)
		c.Affects, c.Fix = "building Dockerfiles that you do not trust there", open.Hint
		return c
	}
	return check("version", OK, "BuildKit "+version)
}

// Room judges the free bytes of a disk.
func Room(c Check, free int64, fix string) Check { return room(c, free, fix) }

func room(c Check, free int64, fix string) Check {
	c.Detail = ui.Size(free) + " free"
	switch {
	case free < tight:
		c.Status, c.Affects, c.Fix = Missing, "almost every build: layers have to go somewhere", fix
	case free < small:
		c.Status, c.Affects, c.Fix = Degraded, "large builds, and how long their caches are kept", fix
	}
	return c
}

// OfNode lists what a node can be used for.
func OfNode(f nodes.Facts) []Platform {
	var list []Platform
	add := func(on []platform.Platform, how How) {
		for _, p := range on {
			list = append(list, Platform{Platform: p, How: how, Node: f.Name})
		}
	}
	if f.Error == "" {
		add(f.Native, Native)
		add(f.Emulated, Emulated)
	}
	return list
}
