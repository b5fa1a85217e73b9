// Package kernel tells what the running kernel has of all that building and
// running containers asks for: control groups, namespaces, overlayfs, the kinds
// of network devices, packet filters, system call filters.
//
// Two questions are easily taken for one. What archbuild's own engine needs for a
// step is little: a step has the host's network, so neither a bridge nor a packet
// filter is asked for. What is not there of that is missing: builds fail. What a
// machine needs that runs the images with Docker or Kubernetes is a lot more: without
// it something is degraded, and each check says for whom.
//
// Where an answer comes from, best first: what the running kernel shows (a file in
// /proc, a type of file system), what was tried, how the kernel was built
// (/proc/config.gz, /boot/config-RELEASE, …), which modules are installed. An option
// that is m needs its module's file, which small systems package apart. What none of
// these tells is unknown, and never called missing.
//
// A trial leaves nothing: it happens in namespaces that end with it, in a process of
// its own, and is not made where it would have the kernel load a module.
package kernel

import (
	"cmp"
	"context"
	"slices"

	"github.com/archbuild/archbuild/detect"
)

// Checks asks everything, in a fixed order. An error is that of ctx alone: what
// cannot be known is a check whose status is detect.Unknown.
func Checks(ctx context.Context, o detect.Options) ([]detect.Check, error) {
	m := look(o)
	m.tried = m.try(ctx)
	list := append(m.cgroupChecks(), m.namespaceChecks()...)
	for _, n := range needs {
		list = append(list, m.check(n))
	}
	slices.SortStableFunc(list, func(a, b detect.Check) int {
		return cmp.Compare(slices.Index(groupOrder, a.Group), slices.Index(groupOrder, b.Group))
	})
	return list, ctx.Err()
}

// groupOrder is the order of the groups in an answer.
var groupOrder = []string{groupCgroups, groupNamespaces, groupStorage, groupNetwork, groupFilter, groupSecurity, groupEmulation}
