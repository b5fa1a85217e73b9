package detect

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RootlessFacts say whether an engine of a plain user can run here. Such an
// engine is root in a user namespace of its own: its user 0 is the user, its
// users 1, 2, … are those that /etc/subuid gives the user.
type RootlessFacts struct {
	// User is the name of the user, or the number of one who has no name.
	User string `json:"user"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	// NewUIDMap and NewGIDMap are the programs that give a user namespace more
	// than one user; empty when they are not there.
	NewUIDMap string `json:"newuidmap,omitempty"`
	NewGIDMap string `json:"newgidmap,omitempty"`
	// UIDs and GIDs are the ranges of /etc/subuid and /etc/subgid, in their order.
	UIDs []IDRange `json:"uids"`
	GIDs []IDRange `json:"gids"`
	// Lacks is what has to be supplied first; empty when an engine can run.
	Lacks []Missing `json:"lacks"`
}

// IDRange is Count numbers from First on.
type IDRange struct {
	First uint32 `json:"first"`
	Count uint32 `json:"count"`
}

// usualIDs is how many users an image is made for: nobody is 65534.
const usualIDs = 65536

// IDs is how many users the namespace would have, the user included.
func (f RootlessFacts) IDs() int { return count(f.UIDs) + 1 }

func count(list []IDRange) int {
	n := 0
	for _, r := range list {
		n += int(r.Count)
	}
	return n
}

// Rootless looks at what an engine of this process's user would be made of. On
// the running machine a namespace is tried, which takes a millisecond: what a
// container or a security module forbids is not written anywhere.
func Rootless(ctx context.Context, o Options) RootlessFacts {
	f := RootlessFacts{
		UID: os.Getuid(), GID: os.Getgid(), NewUIDMap: o.program("newuidmap"), NewGIDMap: o.program("newgidmap"),
	}
	f.User = cmp.Or(o.User, userName(f.UID))
	f.UIDs = o.subordinate("/etc/subuid", f.User, f.UID)
	f.GIDs = o.subordinate("/etc/subgid", f.User, f.UID)
	f.Lacks = append([]Missing{}, lackingNamespaces(ctx, o)...)
	f.Lacks = append(f.Lacks, lackingMaps(o, f)...)
	return f
}

// userName is the user's name, or the number of one who has none.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// program finds a program; empty when there is none.
func (o Options) program(name string) string {
	if o.Real() {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	for _, dir := range programDirs {
		if path, err := exec.LookPath(o.Path(filepath.Join(dir, name))); err == nil {
			return path
		}
	}
	return ""
}

// subordinate reads the ranges of a user from /etc/subuid or /etc/subgid. A line
// is NAME:FIRST:COUNT, where NAME may be the user's number, in both files.
func (o Options) subordinate(file, name string, uid int) []IDRange {
	list := []IDRange{}
	for line := range strings.Lines(readFile(o.Path(file), 1<<20)) {
		owner, r, ok := subordinateLine(line)
		if ok && (owner == name || owner == strconv.Itoa(uid)) {
			list = append(list, r)
		}
	}
	return list
}

// subordinateLine reads a line; ok is false for one that newuidmap skips too.
func subordinateLine(line string) (owner string, r IDRange, ok bool) {
	fields := strings.Split(strings.TrimSpace(line), ":")
	if len(fields) != 3 {
		return "", IDRange{}, false
	}
	first, err1 := strconv.ParseUint(fields[1], 10, 32)
	n, err2 := strconv.ParseUint(fields[2], 10, 32)
	ok = err1 == nil && err2 == nil && n > 0 && first+n <= 1<<32
	return fields[0], IDRange{First: uint32(first), Count: uint32(n)}, ok
}

const plainBuilds = "builds as a plain user"

// lackingNamespaces tells what keeps a plain user from a user namespace.
func lackingNamespaces(ctx context.Context, o Options) []Missing {
	m := Missing{What: "user namespaces for plain users", Affects: plainBuilds}
	if s, closed := ClosedSwitch(o); closed {
		m.What += fmt.Sprintf(": %s is %s", s.Name, s.Is)
		m.Command = fmt.Sprintf("sysctl -w %s=%s", s.Name, s.Open)
	}
	switch reason := userNamespacesReason(o); {
	case !o.Real() && reason == "":
		return nil
	case !o.Real():
		m.Hint = orRoot(m.Command)
		return []Missing{m}
	}
	err := tryNamespace(ctx)
	if err == nil {
		return nil
	}
	if m.Command == "" {
		m.What += fmt.Sprintf(": %v", err)
		m.Hint = "a container must be started with --privileged, or with --security-opt seccomp=unconfined --security-opt apparmor=unconfined; " +
			"or run archbuild as root, or give --node ADDR"
	}
	return []Missing{m}
}

func orRoot(command string) string {
	if command != "" {
		return ""
	}
	return "run archbuild as root, or give --node ADDR"
}

// tryNamespace starts a program of a few instructions in new namespaces, one of
// users and one of mounts: where AppArmor forbids mounts, the first alone works.
func tryNamespace(ctx context.Context) error {
	return TryNamespaces(ctx, userAndMounts)
}

// lackingMaps tells what keeps a plain user from having more than one user in a
// namespace. With one alone most images cannot be unpacked.
func lackingMaps(o Options, f RootlessFacts) []Missing {
	var list []Missing
	if f.NewUIDMap == "" || f.NewGIDMap == "" {
		list = append(list, Missing{What: "newuidmap and newgidmap", Affects: plainBuilds, Command: "apt-get install -y uidmap"})
	} else if !o.mapsAsRoot(f) {
		list = append(list, Missing{
			What: "newuidmap and newgidmap with the rights of root, which they have lost", Affects: plainBuilds,
			Command: fmt.Sprintf("chmod u+s %s %s", f.NewUIDMap, f.NewGIDMap),
		})
	} else if o.Real() && noNewPrivileges(o) {
		list = append(list, Missing{
			What: "newuidmap cannot get its rights: no_new_privs is set for this process", Affects: plainBuilds,
			Hint: "start the container or the service without no-new-privileges (allowPrivilegeEscalation: true), or give --node ADDR",
		})
	}
	if len(f.UIDs) == 0 || len(f.GIDs) == 0 {
		list = append(list, Missing{
			What: fmt.Sprintf("ranges of %s in /etc/subuid and /etc/subgid", f.User), Affects: plainBuilds,
			Command: o.addIDs(f.User),
		})
	}
	return list
}

// freeIDs is where a range could begin that is nobody else's.
func (o Options) freeIDs() int64 {
	free := int64(100000) // where useradd begins
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		for line := range strings.Lines(readFile(o.Path(file), 1<<20)) {
			if _, r, ok := subordinateLine(line); ok {
				free = max(free, int64(r.First)+int64(r.Count))
			}
		}
	}
	return free
}

// noNewPrivileges says whether a set-user-ID program gets no rights from this process.
func noNewPrivileges(o Options) bool {
	for line := range strings.Lines(readFile(o.ProcPath("self/status"), 64<<10)) {
		if value, ok := strings.CutPrefix(line, "NoNewPrivs:"); ok {
			return strings.TrimSpace(value) == "1"
		}
	}
	return false
}

// few tells of ranges that are smaller than what images are made for: an engine
// runs, and some images cannot be unpacked.
func (f RootlessFacts) few(o Options) []Missing {
	n := min(count(f.UIDs), count(f.GIDs)) + 1
	if n == 1 || n >= usualIDs {
		return nil
	}
	return []Missing{{
		What:    fmt.Sprintf("%s has %d users in /etc/subuid and /etc/subgid", f.User, n-1),
		Affects: fmt.Sprintf("images with files of user %d or above", n),
		Command: o.addIDs(f.User),
	}}
}

// mapsAsRoot says whether both programs are root's with the set-user-ID bit or have
// file capabilities; copies in images often have lost them.
func (o Options) mapsAsRoot(f RootlessFacts) bool {
	for _, path := range []string{f.NewUIDMap, f.NewGIDMap} {
		if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeSetuid != 0 {
			continue
		}
		if n, err := unix.Getxattr(path, "security.capability", nil); err != nil || n == 0 {
			return false
		}
	}
	return true
}

// addIDs is the command that gives a user a range which is nobody else's.
func (o Options) addIDs(name string) string {
	first := o.freeIDs()
	return fmt.Sprintf("usermod --add-subuids %[1]d-%[2]d --add-subgids %[1]d-%[2]d %[3]s", first, first+usualIDs-1, name)
}
