package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/moby/buildkit/client"
)

// Record is one entry of the engine's cache, in BuildKit's own words.
type Record = client.UsageInfo

// Rule is one of the engine's policy, in BuildKit's own words and as it prints
// them in JSON: bytes, and nanoseconds.
type Rule = client.PruneInfo

// Usage is what the engine's cache takes on disk, in bytes.
type Usage struct {
	// Total is the sum of all records, Reclaimable of those that nothing uses now,
	// Shared of those that others stand on too.
	Total       int64 `json:"total"`
	Reclaimable int64 `json:"reclaimable"`
	Shared      int64 `json:"shared"`
	Count       int   `json:"count"`
	// Kinds sums the records up by their type, the largest first.
	Kinds []KindUsage `json:"kinds"`
	// Records are the single ones, the largest last.
	Records []*Record `json:"records,omitempty"`
	// Policy is what the engine keeps by itself, rule by rule, as buildkitd.toml or
	// BuildKit's own defaults for this disk have it. Empty: it keeps everything.
	Policy []Rule `json:"gcPolicy"`
}

// KindUsage is what the records of one type take: regular layers, exec.cachemount,
// source.local, source.git.checkout, internal, frontend.
type KindUsage struct {
	Kind  string `json:"kind"`
	Size  int64  `json:"size"`
	Count int    `json:"count"`
}

// Usage asks the engine what its cache takes.
func (h *Handle) Usage(ctx context.Context) (Usage, error) {
	records, err := h.Client.DiskUsage(ctx)
	if err != nil {
		return Usage{}, fmt.Errorf("asking the engine for its disk usage: %w", err)
	}
	workers, err := h.Client.ListWorkers(ctx)
	if err != nil {
		return Usage{}, fmt.Errorf("asking the engine for its policy: %w", err)
	}
	u := Usage{Records: records, Count: len(records), Kinds: kinds(records), Policy: []Rule{}}
	for _, r := range records {
		u.Total += r.Size
		if !r.InUse {
			u.Reclaimable += r.Size
		}
		if r.Shared {
			u.Shared += r.Size
		}
	}
	for _, w := range workers {
		u.Policy = append(u.Policy, w.GCPolicy...)
	}
	return u, nil
}

// kinds sums records up by type, the largest first.
func kinds(records []*Record) []KindUsage {
	sums := map[string]*KindUsage{}
	out := []KindUsage{}
	for _, r := range records {
		kind := cmp.Or(string(r.RecordType), string(client.UsageRecordTypeRegular))
		if sums[kind] == nil {
			sums[kind] = &KindUsage{Kind: kind}
		}
		sums[kind].Size += r.Size
		sums[kind].Count++
	}
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b KindUsage) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}
