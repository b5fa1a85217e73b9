package detect

// Status is the verdict of a Check.
type Status string

// The verdicts, from best to worst; Unknown is none of them.
const (
	// OK is there and works.
	OK Status = "ok"
	// Degraded works less well, or only for some: Affects says for whom.
	Degraded Status = "degraded"
	// Lacking is not there, and builds that need it fail.
	Lacking Status = "missing"
	// Unknown could neither be read nor tried: Detail says why. It is no fault.
	Unknown Status = "unknown"
)

// Check is one question that was asked of a machine, and its answer. It is
// plain data that prints as JSON.
type Check struct {
	// Name of what was asked about, in a few words: overlayfs, memory cgroup.
	// Unique within its group.
	Name string `json:"name"`
	// Group puts checks under one heading: cgroups, namespaces, network, …
	Group  string `json:"group"`
	Status Status `json:"status"`
	// Affects says who is concerned by anything but ok: a clause without full stop.
	Affects string `json:"affects,omitempty"`
	// NoBuild says that no build is concerned, only who runs images on this machine.
	NoBuild bool `json:"noBuild,omitempty"`
	// Fix is the one thing to do: a shell command to be run by root, or a kernel
	// option as its configuration spells it (CONFIG_VXLAN=m). Empty for ok.
	Fix string `json:"fix,omitempty"`
	// Detail is what was found: a clause without full stop.
	Detail string `json:"detail,omitempty"`
	// Source is from where it is known: a file's path, or "tried".
	Source string `json:"source,omitempty"`
}
