package detect

import (
	"cmp"
	"slices"
	"strings"
)

// Distribution is what /etc/os-release says of the userland.
type Distribution struct {
	// ID is a lower-case word: debian, ubuntu, fedora, rhel, alpine, raspbian, amzn.
	ID string
	// Like are the distributions it is made from, nearest first.
	Like []string
	// Version as it calls itself: 12, 24.04; empty for those that have none.
	Version string
}

// ReadDistribution reads /etc/os-release, else /usr/lib/os-release. Where there
// is none all is empty.
func ReadDistribution(o Options) Distribution {
	var d Distribution
	text := cmp.Or(readFile(o.Path("/etc/os-release"), 64<<10), readFile(o.Path("/usr/lib/os-release"), 64<<10))
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.ID = value
		case "ID_LIKE":
			d.Like = strings.Fields(value)
		case "VERSION_ID":
			d.Version = value
		}
	}
	return d
}

// Is says whether it is one of these distributions or made from one.
func (d Distribution) Is(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return d.ID == id || slices.Contains(d.Like, id) })
}

// installEmulators is the command that installs static emulators; empty where the
// distribution packages none.
func (o Options) installEmulators() string {
	switch d := ReadDistribution(o); {
	case d.ID == "" || d.Is("debian", "ubuntu"):
		return "apt-get install -y qemu-user-static"
	case d.ID == "fedora":
		return "dnf install -y qemu-user-static"
	case d.Is("arch"):
		return "pacman -S --noconfirm qemu-user-static"
	case d.Is("suse", "opensuse"):
		return "zypper install -y qemu-linux-user"
	}
	return ""
}
