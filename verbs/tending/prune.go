package tending

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// Pruning is what a user can say of pruning; each field as buildx and buildctl
// have the flag. The zero value removes all that nothing uses, but for
// BuildKit's own records.
type Pruning struct {
	// All takes BuildKit's own records too, and those that others share.
	All bool
	// Filters choose records of the engine's cache; archbuild's own folders are
	// left alone then.
	Filters      []string
	KeepDuration time.Duration
	// Sizes, as text: 5GB. They hold for the engine's cache and for each of
	// archbuild's own folders by itself.
	MaxUsedSpace, ReservedSpace, MinFreeSpace string
}

// Pruned is what has gone.
type Pruned struct {
	Cache engine.Freed `json:"cache"`
	// Folders are archbuild's own, with what was removed from each.
	Folders []FolderUsage `json:"folders"`
	// Kept names folders that were left alone, since a build needs them.
	Kept []string `json:"kept,omitempty"`
	// Total is the sum, in bytes.
	Total int64 `json:"total"`
}

// Prune removes from this user's caches what the pruning names and no
// build needs, starting the engine if it has ever kept anything.
func Prune(ctx context.Context, w outside.World, p Pruning) (Pruned, error) {
	want, err := p.parse()
	if err != nil {
		return Pruned{}, err
	}
	pruned := Pruned{Folders: []FolderUsage{}}
	var root string
	err = onEngine(ctx, w, &root, func(h *engine.Handle) (err error) {
		pruned.Cache, err = h.Prune(ctx, want)
		return err
	})
	if err != nil {
		return pruned, err
	}
	pruned.Total = pruned.Cache.Size
	if len(want.Filters) > 0 {
		return pruned, nil
	}
	limits := keep.Bounds{Age: want.KeepDuration, Most: want.MaxUsedSpace, Least: want.ReservedSpace, Free: want.MinFreeSpace}
	for _, f := range cacheFolders(w) {
		gone, busy := f.prune(limits, time.Now())
		if busy {
			pruned.Kept = append(pruned.Kept, f.Name)
		}
		f.Size, f.Count = gone.Size, gone.Count
		pruned.Folders = append(pruned.Folders, f)
		pruned.Total += gone.Size
	}
	return pruned, nil
}

// prune removes what may go of a folder. That of results belongs to the runs
// that build; of the others each file can be missing at any time.
func (f FolderUsage) prune(b keep.Bounds, now time.Time) (gone keep.Trimmed, busy bool) {
	if f.Name == "results" {
		return keep.Store{Dir: f.Path}.Empty(b, now)
	}
	return keep.Folder(f.Path).Trim(now, b), false
}

func (p Pruning) parse() (engine.PruneOptions, error) {
	filters, keep, err := engine.ParseFilters(p.Filters)
	if err != nil {
		return engine.PruneOptions{}, &wrong.Usage{fmt.Errorf("--filter %w", err), "keys are type, id, description, parents, until with a value, and inuse, mutable, immutable, shared, private without: type=exec.cachemount"}
	}
	if p.KeepDuration < 0 {
		return engine.PruneOptions{}, &wrong.Usage{fmt.Errorf("--keep-duration %s is below 0", p.KeepDuration), "give a time span: 24h"}
	}
	o := engine.PruneOptions{All: p.All, Filters: filters, KeepDuration: max(keep, p.KeepDuration)}
	for _, flag := range []struct {
		name, text string
		to         *int64
	}{
		{"--max-used-space", p.MaxUsedSpace, &o.MaxUsedSpace},
		{"--reserved-space", p.ReservedSpace, &o.ReservedSpace},
		{"--min-free-space", p.MinFreeSpace, &o.MinFreeSpace},
	} {
		if flag.text == "" {
			continue
		}
		if *flag.to, err = engine.ParseSize(flag.text); err != nil {
			return o, &wrong.Usage{fmt.Errorf("%s %w", flag.name, err), "give bytes, or a unit: 500MB, 5GB"}
		}
	}
	return o, nil
}

// WriteText says in a line what was freed.
func (p Pruned) WriteText(w io.Writer) error {
	parts := []string{fmt.Sprintf("%s of the engine's cache (%d record%s)", ui.Size(p.Cache.Size), p.Cache.Count, ui.Plural(p.Cache.Count))}
	for _, f := range p.Folders {
		if f.Count > 0 {
			parts = append(parts, fmt.Sprintf("%s of %s (%d file%s)", ui.Size(f.Size), f.Name, f.Count, ui.Plural(f.Count)))
		}
	}
	_, err := fmt.Fprintf(w, "freed %s: %s\n", ui.Size(p.Total), strings.Join(parts, ", "))
	for _, name := range p.Kept {
		if _, e := fmt.Fprintf(w, "left alone: %s, a build needs them now\n", name); err == nil {
			err = e
		}
	}
	return err
}
