//go:build linux

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/executor"
	resourcestypes "github.com/moby/buildkit/executor/resources/types"
	"github.com/moby/buildkit/identity"
	"github.com/sirupsen/logrus"
)

// bundlesName is the folder of BuildKit's executor, below the store: a folder for
// each container, and the files of /etc that they share.
const bundlesName = "executor"

// ending runs containers and ends those that outlive their runc. BuildKit ends a
// container by way of runc; if that was killed (by hand, or for want of memory) its
// processes would run on, on a root without a snapshot, until the engine ends.
type ending struct {
	executor.Executor
	// bundles, records and group are where BuildKit and runc keep what belongs to
	// a container, and the control group above its own.
	bundles, records, group string
}

func (c childOptions) ending(of executor.Executor, store, parent string) ending {
	e := ending{Executor: of, bundles: filepath.Join(store, bundlesName), records: runcState, group: filepath.Join("/", parent, "buildkit")}
	if c.kept {
		e.records = filepath.Join(c.runtimeDir(), "runc")
	}
	return e
}

// runtimeDir is XDG_RUNTIME_DIR of a rootless engine.
func (l layout) runtimeDir() string { return filepath.Join(l.tmp, "runtime") }

// Run is the executor's. What runc has recorded of a container that failed and
// did not remove tells that it was killed.
func (e ending) Run(ctx context.Context, id string, rootfs executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (resourcestypes.Recorder, error) {
	if id == "" {
		id = identity.NewID()
	}
	rec, err := e.Executor.Run(ctx, id, rootfs, mounts, process, started)
	if err == nil {
		return rec, nil
	}
	box := container{id: id, bundle: filepath.Join(e.bundles, id), records: e.records, group: filepath.Join(e.group, id)}
	if _, gone := os.Lstat(box.recordFolder()); gone == nil {
		logrus.Warnf("engine: the container %s has outlived its runc, and is ended", id)
		if kept := box.kill(); kept != nil {
			logrus.Warnf("engine: ending a container whose runc is gone: %v", kept)
		}
	}
	return rec, err
}

// halfMade are the files and folders below BuildKit's own that it makes to be renamed,
// mounted on or removed a moment later. Some of them it removes itself when it starts
// the next time; nobody may start it.
var halfMade = []string{
	"*-check*", "*/snapshots/*-check*", "*/content/.fsverity-check-*", // what the file system can do
	"*/snapshots/snapshots/new-*",
	"*/content/ingest/*", // blobs that came in part
	"*/cachemounts/*",    // mount points
	"*/" + bundlesName + "/hosts*", "*/" + bundlesName + "/resolv*", "*/" + bundlesName + "/*.tmp",
}

// sweepHalfMade removes what BuildKit was making. The caller has unmounted all.
func (l layout) sweepHalfMade() error {
	var errs []error
	for _, pattern := range halfMade {
		entries, err := filepath.Glob(filepath.Join(globQuote(l.root), pattern))
		if err != nil {
			return fmt.Errorf("looking for half-made files: %w", err)
		}
		for _, path := range entries {
			// What a link leads to is not the engine's.
			if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err != nil || real != filepath.Dir(path) {
				continue
			}
			if err := removeBelow(l.root, path); err != nil {
				errs = append(errs, fmt.Errorf("removing a half-made file: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
