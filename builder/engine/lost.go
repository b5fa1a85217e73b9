//go:build linux

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/leaseutil"
)

// openMark is a file in the worker's folder as long as an engine has its data open. One that is there beforehand tells
// that the engine before did not get to the end.
const openMark = "open"

// mark notes that the data are in use, and whether they were left like that.
func (s *store) mark() error {
	file, err := os.OpenFile(filepath.Join(s.root, openMark), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if s.killed = errors.Is(err, fs.ErrExist); s.killed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("noting that the engine's data are in use: %w", err)
	}
	return file.Close()
}

// unmark notes that they are not, any more.
func (s *store) unmark() error { return os.Remove(filepath.Join(s.root, openMark)) }

// recordType is the key under which BuildKit keeps of what kind a record is.
const recordType = "cache.recordType"

// unfinished are records that BuildKit changes in place: its copies of contexts and of Git repositories. When one could not be
// brought up to date, it removes the record, since its files and the digests noted of them may differ; a
// later build would then take a changed file for the one that it had before. Who is killed removes nothing.
var unfinished = []client.UsageRecordType{client.UsageRecordTypeLocalSource, client.UsageRecordTypeGitCheckout}

// dropUnfinished removes those records after an engine was killed: contexts are sent again. BuildKit's worker is not open yet.
func (s *store) dropUnfinished() error {
	if !s.killed {
		return nil
	}
	records, err := s.records.All()
	if err != nil {
		return fmt.Errorf("reading BuildKit's records: %w", err)
	}
	for _, r := range records {
		if !slices.Contains(unfinished, kindOf(r)) {
			continue
		}
		if err := s.records.Clear(r.ID()); err != nil {
			return fmt.Errorf("dropping a context that may be half copied: %w", err)
		}
	}
	return nil
}

func kindOf(r *metadata.StorageItem) client.UsageRecordType {
	var kind client.UsageRecordType
	if value := r.Get(recordType); value == nil || value.Unmarshal(&kind) != nil {
		return ""
	}
	return kind
}

// dropLost removes, after an engine was killed, the leases of layers that no record of BuildKit's names, and so the layers. Who is
// killed between the making of a lease and of its record leaves such ones. BuildKit looks for records without
// layers, never for layers without records: nothing that can be pruned would lead to them. Nothing is built yet.
func (s *store) dropLost(ctx context.Context, lm *leaseutil.Manager) error {
	if !s.killed {
		return nil
	}
	records, err := s.records.All()
	if err != nil {
		return fmt.Errorf("reading BuildKit's records: %w", err)
	}
	known := map[string]bool{}
	for _, r := range records {
		known[r.ID()] = true
	}
	list, err := lm.List(ctx)
	if err != nil {
		return fmt.Errorf("reading the leases of layers: %w", err)
	}
	for _, l := range list {
		record := strings.TrimSuffix(strings.TrimSuffix(l.ID, "-variants"), "-view")
		if known[record] {
			continue
		}
		if err := lm.Delete(ctx, leases.Lease{ID: l.ID}); err != nil {
			return fmt.Errorf("dropping the lease of a layer: %w", err)
		}
	}
	if _, err := s.meta.GarbageCollect(ctx); err != nil {
		return fmt.Errorf("removing the layers of an engine that was killed: %w", err)
	}
	return nil
}
