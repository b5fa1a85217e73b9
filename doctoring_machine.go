package archbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/detect/kernel"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// machine is what was found out about this machine, and what its engine can build.
type machine struct {
	checks    []doctor.Check
	platforms []doctor.Platform
	// unable is why its engine can build nothing now; nil when it can.
	unable error
}

// usesEngine says whether builds would go to the private engine, if to others too.
func (x *examination) usesEngine() bool {
	return len(x.specs) == 0 || slices.ContainsFunc(x.specs, func(s nodes.Spec) bool { return s.Address == nodes.EngineAddress })
}

// lookAtMachine looks at this machine: for the engine, if that is used, else only at
// what it is.
func (x *examination) lookAtMachine(ctx context.Context) machine {
	late := machine{checks: []doctor.Check{{
		ID: "host-platform", Group: doctor.Host, Status: doctor.Unknown, Detail: fmt.Sprintf("looking at this machine takes longer than %s; --wait 10s waits longer", x.wait),
	}}}
	return finish(ctx, late, func(ctx context.Context) machine {
		if !x.usesEngine() {
			return machine{checks: []doctor.Check{doctor.OfHost(x.host), {
				ID: "engine-unused", Group: doctor.Engine, Status: doctor.OK, Brief: "not used, builds go to nodes",
				Detail: "not used: builds go to " + x.nodeNames() + "; --node engine has this machine looked at as well",
			}}}
		}
		return x.lookAtEngine(ctx, late)
	})
}

func (x *examination) nodeNames() string {
	var names []string
	for _, s := range x.specs {
		names = append(names, fmt.Sprintf("%s (%s)", s.Name, s.From))
	}
	return strings.Join(names, ", ")
}

func (x *examination) lookAtEngine(ctx context.Context, late machine) machine {
	options, err := x.engineOptions()
	if err != nil {
		return machine{checks: []doctor.Check{doctor.OfHost(x.host), brokenFile("engine-config", doctor.Engine, err)}}
	}
	facts, err := detect.All(ctx, detect.Options{Runc: options.Runc, Rootless: engine.IsRootless()})
	if err != nil {
		return late
	}
	features, _ := kernel.Checks(ctx, detect.Options{Rootless: engine.IsRootless()}) // what is not known in time is left out
	checks := []doctor.Check{doctor.OfHost(facts.Host)}
	checks = append(checks, doctor.OfKernel(features)...)
	own := append([]doctor.Check{x.checkStart(ctx, facts), x.checkServer(ctx, options)}, x.checkState()...)
	unable := stopping(own)
	_, missing := engine.FindRunc(x.Runc)
	checks = append(append(checks, own...), doctor.OfRunc(facts.Runc, missing, wrong.Hint(missing)))
	checks = append(checks, checkConfig(options.Config)...)
	checks = append(checks, doctor.OfEmulators(facts, x.wanted())...)
	checks = append(checks, doctor.OfTroubles(detect.EmulatorTroubles(facts), detect.CrashCheck(ctx, detect.Options{}))...)
	return machine{checks, doctor.OfMachine(facts, engineName, unable == nil), unable}
}

// stopping is the first of some checks without which nothing is built.
func stopping(list []doctor.Check) error {
	for _, c := range list {
		if c.Status == doctor.Missing {
			return &UnableError{c}
		}
	}
	return nil
}

// UnableError says that a check stands against every build on the engine.
type UnableError struct{ Check doctor.Check }

func (e *UnableError) Error() string { return e.Check.Detail }

// Hint is what mends it.
func (e *UnableError) Hint() string { return e.Check.Fix }

// wanted are the platforms that somebody asked for, else those that most images are
// ported for.
func (x *examination) wanted() []platform.Platform {
	var list []platform.Platform
	for _, s := range x.services {
		for _, target := range s.targets {
			list = append(list, target.Platform)
		}
	}
	if len(list) > 0 {
		return list
	}
	if asked, from, err := x.choosePlatforms(nil, x.host.Platform); err == nil && from != "this machine" {
		return asked
	}
	return PortingPlatforms
}

// checkStart says whether this user can run the engine.
func (x *examination) checkStart(ctx context.Context, f detect.Facts) doctor.Check {
	c := doctor.Check{ID: "engine-start", Group: doctor.Engine, Status: doctor.OK, Detail: "root runs it", Brief: "root"}
	if f.Rootless != nil {
		c.Detail = fmt.Sprintf("user %s is root of %d users in its own namespace", f.Rootless.User, f.Rootless.IDs())
		c.Brief = "rootless"
	}
	if err := engine.Check(ctx); err != nil {
		c.Status, c.Detail, c.Affects, c.Fix = doctor.Missing, err.Error(), "every build here", wrong.Hint(err)
		if lacking := new(engine.RootlessError); errors.As(err, &lacking) {
			c.Fix, c.Command = commands(lacking.Facts.Lacks), true
		}
		return c
	}
	const usual = 65536
	if f.Rootless != nil && f.Rootless.IDs() < usual {
		c.Status = doctor.Degraded
		c.Affects = "images with files of other users, and steps that become one"
		c.Fix = "give the user 65536 of them in /etc/subuid and /etc/subgid; docs/rootless.md shows how"
	}
	return c
}

// commands are what supplies things: what to do otherwise, then what root has to type.
func commands(list []detect.Missing) string {
	var lines, root []string
	for _, m := range list {
		if m.Command == "" {
			lines = append(lines, m.Hint)
		} else {
			root = append(root, m.Command)
		}
	}
	if len(root) > 0 {
		lines = append(append(lines, "as root:"), root...)
	}
	return strings.Join(lines, "\n")
}

// checkServer says whether the engine runs, and whether it answers if it does.
func (x *examination) checkServer(ctx context.Context, options engine.Options) doctor.Check {
	c := doctor.Check{ID: "engine-server", Group: doctor.Engine, Status: doctor.OK}
	state, err := engine.Status(ctx, options)
	switch {
	case err != nil:
		c.Status, c.Detail, c.Affects, c.Fix = doctor.Missing, err.Error(), "every build here", wrong.Hint(err)
		c.Command = errors.As(err, new(*engine.HungError))
	case !state.Running:
		c.Detail, c.Brief = fmt.Sprintf("BuildKit %s, not running; the next build starts it", state.BuildKit), "not running"
	default:
		c.Detail, c.Brief = fmt.Sprintf("BuildKit %s, running as pid %d on %s", state.BuildKit, state.PID, state.Socket), "running"
		if state.MemoryNote != "" {
			c.Status, c.Detail, c.Affects = doctor.Degraded, state.MemoryNote, "builds that take more memory than the machine has"
		}
	}
	return c
}

// Inodes below which a disk is as good as full: an image of a distribution has more files.
const fewInodes = 50_000

// checkState looks at the folder that holds the engine's data.
func (x *examination) checkState() []doctor.Check {
	state := x.stateDir()
	there := existing(state)
	folder := doctor.Check{ID: "engine-state", Group: doctor.Engine, Status: doctor.OK, Detail: "data lies in " + state}
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		folder.Status, folder.Detail = doctor.Missing, fmt.Sprintf("this user cannot write in %s: %v", there, err)
		folder.Affects, folder.Fix = "every build here", "name a folder of your own: --state FOLDER, or ARCHBUILD_STATE=FOLDER"
	}
	checks := []doctor.Check{folder}
	var disk unix.Statfs_t
	if err := unix.Statfs(there, &disk); err != nil {
		return checks
	}
	free := int64(disk.Bavail) * int64(disk.Bsize) //nolint:unconvert // their types differ among systems
	fix := x.world().EngineCommand("prune")
	room := doctor.Room(doctor.Check{ID: "engine-disk", Group: doctor.Engine, Status: doctor.OK, Brief: ui.Size(free) + " free"}, free, fix)
	room.Detail += " on the disk of " + state
	room.Command = true
	if disk.Files > 0 && disk.Ffree < fewInodes && room.Status == doctor.OK {
		room.Status, room.Detail = doctor.Degraded, fmt.Sprintf("room for %d more files on the disk of %s", disk.Ffree, state)
		room.Affects, room.Fix = "images of many files", fix
	}
	checks = append(checks, room)
	if name, bad := poorDisks[int64(disk.Type)]; bad { //nolint:unconvert // their types differ among systems
		checks = append(checks, doctor.Check{
			ID: "engine-layers", Group: doctor.Engine, Status: doctor.Degraded, Detail: fmt.Sprintf("the disk of %s is %s, on which overlayfs stacks no layers", state, name),
			Affects: "speed and room: layers are copied where they could be stacked", Fix: "keep the data on a disk of ext4, xfs or btrfs: --state FOLDER, in a container a volume",
		})
	}
	return checks
}

// poorDisks are file systems that cannot be the upper part of an overlay, by their
// number in linux/magic.h.
var poorDisks = map[int64]string{
	0x794c7630: "itself an overlay (the inside of a container)", 0x6969: "NFS", 0x01021997: "9p", 0x65735546: "a FUSE file system", 0xf15f: "eCryptfs",
}

// existing is the folder itself, or the nearest above it that is there.
func existing(folder string) string {
	for unix.Access(folder, unix.F_OK) != nil && folder != filepath.Dir(folder) {
		folder = filepath.Dir(folder)
	}
	return folder
}

// checkConfig tells what is odd in buildkitd.toml.
func checkConfig(path string) []doctor.Check {
	if path == "" {
		return nil
	}
	c := doctor.Check{ID: "engine-config", Group: doctor.Engine, Status: doctor.OK, Detail: "configured by " + path}
	if warnings := engine.ConfigWarnings(path); len(warnings) > 0 {
		c.Status, c.Detail = doctor.Degraded, strings.Join(warnings, "; ")
		c.Affects, c.Fix = "what those lines are there for", "see the names that buildkitd.toml has: docs/engine.md"
	}
	return []doctor.Check{c}
}
