package tending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/outside"
)

// Disk is what archbuild keeps on disk for one state folder.
type Disk struct {
	// Cache is the engine's: layers, cache mounts, copies of contexts.
	Cache engine.Usage `json:"cache"`
	// Root is the folder of the cache.
	Root string `json:"root"`
	// Folders are archbuild's own, beside it.
	Folders []FolderUsage `json:"folders"`
	// Total is the sum, in bytes.
	Total int64 `json:"total"`
}

// FolderUsage is what one of archbuild's own folders takes, in bytes.
type FolderUsage struct {
	// Name says what it holds: results, registry, verdicts, resume, files.
	Name  string `json:"name"`
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Count int    `json:"count"`
}

// content is where the folder has what counts: the lock of the store does not.
func (f FolderUsage) content() keep.Folder {
	if f.Name == "results" {
		return keep.Store{Dir: f.Path}.BlobFolder()
	}
	return keep.Folder(f.Path)
}

// cacheFolders are archbuild's own folders whose content can be had again.
func cacheFolders(w outside.World) []FolderUsage {
	kept := w.Kept()
	return []FolderUsage{
		{Name: "results", Path: kept.Dir},
		{Name: "registry", Path: string(kept.Answers)},
		{Name: "verdicts", Path: string(kept.Verdicts)},
		{Name: "resume", Path: string(kept.Results)},
		{Name: "files", Path: string(kept.Files)},
	}
}

// Usage tells what is kept. It starts the engine if it has ever kept
// anything; the single records are in the answer when verbose.
func Usage(ctx context.Context, w outside.World, verbose bool) (Disk, error) {
	disk := Disk{Cache: engine.Usage{Kinds: []engine.KindUsage{}, Policy: []engine.Rule{}}}
	err := onEngine(ctx, w, &disk.Root, func(h *engine.Handle) (err error) {
		disk.Cache, err = h.Usage(ctx)
		return err
	})
	if err != nil {
		return disk, err
	}
	if !verbose {
		disk.Cache.Records = nil
	}
	disk.Total = disk.Cache.Total
	for _, f := range cacheFolders(w) {
		f.Size, f.Count = f.content().Size()
		disk.Folders = append(disk.Folders, f)
		disk.Total += f.Size
	}
	return disk, nil
}

// onEngine calls do with the engine, started if need be, and names its root
// folder. Where no engine has ever kept anything, nothing is started or called.
func onEngine(ctx context.Context, w outside.World, root *string, do func(*engine.Handle) error) error {
	options, err := w.EngineOptions()
	if err != nil {
		return err
	}
	options.AsIs = true
	state, err := engine.Status(ctx, options)
	// Ensure waits for one that does not answer; Status does not.
	if err != nil && !errors.As(err, new(*engine.HungError)) {
		return err
	}
	if *root = state.Root; err == nil && !state.Running {
		if _, err := os.Stat(state.Root); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	h, err := engine.Ensure(ctx, options)
	if err != nil {
		return err
	}
	defer h.Close()
	*root = h.State.Root
	return do(h)
}

// WriteText prints what is kept and where; with verbose each record and the
// rules by which the engine prunes itself.
func (d Disk) WriteText(w io.Writer, verbose bool) error {
	if verbose && len(d.Cache.Records) > 0 {
		if err := writeRecords(w, d.Cache.Records); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	rows := [][]string{{"engine cache", ui.Size(d.Cache.Total), ui.Size(d.Cache.Reclaimable), strconv.Itoa(d.Cache.Count), d.Root}}
	for _, k := range d.Cache.Kinds {
		rows = append(rows, []string{"  " + k.Kind, ui.Size(k.Size), "", strconv.Itoa(k.Count), ""})
	}
	for _, f := range d.Folders {
		rows = append(rows, []string{f.Name, ui.Size(f.Size), ui.Size(f.Size), strconv.Itoa(f.Count), f.Path})
	}
	rows = append(rows, []string{"total", ui.Size(d.Total)})
	if err := ui.Table(w, []string{"WHAT", "SIZE", "CAN GO", "ENTRIES", "WHERE"}, rows); err != nil || !verbose {
		return err
	}
	fmt.Fprintln(w, "\nwhat the engine removes by itself, one rule after the other:")
	if len(d.Cache.Policy) == 0 {
		_, err := fmt.Fprintln(w, "  nothing")
		return err
	}
	for _, rule := range d.Cache.Policy {
		if _, err := fmt.Fprintln(w, "  "+ruleText(rule)); err != nil {
			return err
		}
	}
	return nil
}

func writeRecords(w io.Writer, records []*engine.Record) error {
	var rows [][]string
	for _, r := range slices.Backward(records) {
		use := ""
		switch {
		case r.InUse:
			use = "in use"
		case r.Shared:
			use = "shared"
		}
		last := "-"
		if r.LastUsedAt != nil {
			last = r.LastUsedAt.UTC().Format("2006-01-02 15:04")
		}
		rows = append(rows, []string{r.ID, ui.Size(r.Size), string(r.RecordType), last, use, r.Description})
	}
	return ui.Table(w, []string{"ID", "SIZE", "TYPE", "LAST USED (UTC)", "USE", "WHAT"}, rows)
}

// ruleText says a rule of the policy in a sentence.
func ruleText(r engine.Rule) string {
	what := "whatever"
	if len(r.Filter) > 0 {
		what = strings.Join(r.Filter, " or ")
	} else if r.All {
		what = "whatever, BuildKit's own records too,"
	}
	text := what + " was not used"
	if r.KeepDuration > 0 {
		text += " for " + span(r.KeepDuration)
	} else {
		text += " for the longest time"
	}
	var when []string
	if r.MaxUsedSpace > 0 {
		when = append(when, "more than "+ui.Size(r.MaxUsedSpace)+" is used")
	}
	if r.MinFreeSpace > 0 {
		when = append(when, "less than "+ui.Size(r.MinFreeSpace)+" of the disk is free")
	}
	if len(when) > 0 {
		text += ", while " + strings.Join(when, " or ")
	}
	if r.ReservedSpace > 0 {
		text += "; " + ui.Size(r.ReservedSpace) + " may always stay"
	}
	return text
}

// span writes a long time in days where it is some.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
