//go:build linux

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/diff/apply"
	ctdmetadata "github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/containerd/v2/plugins/snapshots/native"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/cache/metadata"
	snapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/util/winlayers"
	"github.com/moby/buildkit/worker/base"
	"go.etcd.io/bbolt"
)

// namespace is the one in which BuildKit keeps everything in containerd's store.
const namespace = "buildkit"

// store is the worker's data on disk: layers as blobs, layers as directories,
// and what is known of both.
type store struct {
	snapshotter string
	// noOverlay is why layers are copied, where nobody asked for that.
	noOverlay error
	root      string
	db        *bbolt.DB
	meta      *ctdmetadata.DB
	records   *metadata.Store
	// killed says that the engine which had it open before did not close it.
	killed bool
}

// openStore opens the store of the named snapshotter below root, which has a
// folder of its own: buildkitd's layout, so that BuildKit's tools find their way.
func openStore(root, name string) (*store, error) {
	var noOverlay error
	if name == "" || name == "auto" {
		name = "overlayfs"
		if noOverlay = overlayutils.Supported(root); noOverlay != nil {
			name = "native"
		}
	}
	s := &store{snapshotter: name, noOverlay: noOverlay, root: filepath.Join(root, "runc-"+name)}
	if err := os.MkdirAll(s.root, 0o700); err != nil {
		return nil, err
	}
	if err := s.mark(); err != nil {
		return nil, err
	}
	layers, err := openSnapshotter(name, filepath.Join(s.root, "snapshots"))
	if err != nil {
		return nil, fmt.Errorf("opening the snapshots: %w", err)
	}
	blobs, err := local.NewStore(filepath.Join(s.root, "content"))
	if err != nil {
		return nil, fmt.Errorf("opening the content: %w", err)
	}
	// Nobody else should have it open; if somebody has, waiting would be for ever.
	s.db, err = bbolt.Open(filepath.Join(s.root, "containerdmeta.db"), 0o600,
		&bbolt.Options{FreelistType: bbolt.FreelistMapType, Timeout: 5 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("opening containerdmeta.db: %w", err)
	}
	s.meta = ctdmetadata.NewDB(s.db, blobs, map[string]snapshots.Snapshotter{name: layers})
	if err := s.meta.Init(context.Background()); err != nil {
		return nil, fmt.Errorf("opening containerdmeta.db: %w", err)
	}
	s.records, err = metadata.NewStore(filepath.Join(s.root, "metadata_v2.db"))
	if err != nil {
		return nil, fmt.Errorf("opening metadata_v2.db: %w", err)
	}
	return s, nil
}

// openSnapshotter opens the layers as directories: stacked by overlayfs, or
// copied. Directories that a killed engine had half made are removed first:
// later they would be in the way ("file exists").
func openSnapshotter(name, dir string) (snapshots.Snapshotter, error) {
	if name == "native" {
		return native.NewSnapshotter(dir)
	}
	s, err := overlay.NewSnapshotter(dir, overlay.AsynchronousRemove)
	if err != nil {
		return nil, err
	}
	if cleaner, ok := s.(snapshots.Cleaner); ok {
		// A store that was never written to has nothing to clean.
		if err := cleaner.Cleanup(context.Background()); err != nil && !errdefs.IsNotFound(err) {
			return nil, fmt.Errorf("cleaning up: %w", err)
		}
	}
	return s, nil
}

// fill gives the worker its store.
func (s *store) fill(opt *base.WorkerOpt) error {
	id, err := s.workerID()
	if err != nil {
		return fmt.Errorf("reading the worker's id: %w", err)
	}
	content := snapshot.NewContentStore(s.meta.ContentStore(), namespace)
	opt.ID = id
	opt.Root = s.root
	opt.MetadataStore = s.records
	opt.Snapshotter = snapshot.NewSnapshotter(s.snapshotter, s.meta.Snapshotter(s.snapshotter), namespace, nil)
	opt.ContentStore = content
	opt.Applier = winlayers.NewFileSystemApplierWithWindows(content, apply.NewFileSystemApplier(content))
	opt.Differ = winlayers.NewWalkingDiffWithWindows(content, walking.NewWalkingDiff(content))
	opt.LeaseManager = leaseutil.WithNamespace(ctdmetadata.NewLeaseManager(s.meta), namespace)
	opt.GarbageCollect = s.meta.GarbageCollect
	opt.MountPoolRoot = filepath.Join(s.root, "cachemounts")
	return nil
}

// workerID is the worker's name, made once. An empty file is one that a killed
// engine had no time to fill.
func (s *store) workerID() (string, error) {
	file := filepath.Join(s.root, "workerid")
	if info, err := os.Stat(file); err == nil && info.Size() == 0 {
		if err := os.Remove(file); err != nil {
			return "", err
		}
	}
	return base.ID(s.root)
}

// notes are what the user should know of the store.
func (s *store) notes() []string {
	if s.noOverlay == nil {
		return nil
	}
	return []string{fmt.Sprintf("layers are copied, which takes time and room, for overlayfs does not work here: %v", s.noOverlay)}
}

// close closes what the worker, which is closed, does not close by itself.
func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return err
	}
	return s.unmark()
}
