// Package listing is the verb node ls: what the nodes are that builds can use, as they say themselves.
package listing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
)

// nodeLimit is how long a node may take to answer all questions.
const nodeLimit = 10 * time.Second

// SilentError says that some nodes did not answer.
type SilentError struct{ Names []string }

func (e *SilentError) Error() string {
	if len(e.Names) == 1 {
		return fmt.Sprintf("node %s does not answer", e.Names[0])
	}
	return fmt.Sprintf("%d nodes do not answer: %s", len(e.Names), strings.Join(e.Names, ", "))
}

// Hint says where the causes are.
func (e *SilentError) Hint() string {
	return "the cause stands in the list; docs/nodes.md shows how nodes are started and reached"
}

// Options are what a user can say.
type Options struct {
	outside.World
	outside.Nodes
}

// Nodes looks at all nodes that a build would use, at once. The facts are complete
// also with a *SilentError, which says that one of them or more does not answer.
func Nodes(ctx context.Context, opts Options) ([]nodes.Facts, error) {
	specs, err := opts.Specs(opts.System)
	if err != nil {
		return nil, err
	}
	for i := range specs {
		specs[i].From = cmp.Or(specs[i].From, "no other is named")
	}
	facts := nodes.LookAtAll(ctx, specs, nodeLimit, opts.lookAt)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// What a build can know without asking is worth keeping; without a memory it asks.
	_ = nodes.Remember(opts.StateDir(), time.Now(), facts...)
	silent := &SilentError{}
	for i, f := range facts {
		if f.Error == "" {
			continue
		}
		silent.Names = append(silent.Names, f.Name)
		if seen, known := nodes.Recall(opts.StateDir(), f.Address); known {
			facts[i].Note = "when it answered last, it was native for " + nodePlatforms(seen.Native)
		}
	}
	if len(silent.Names) > 0 {
		return facts, silent
	}
	return facts, nil
}

// lookAt is nodes.Look; the private engine is not started for it.
func (o Options) lookAt(ctx context.Context, s nodes.Spec) nodes.Facts {
	if s.Address != nodes.EngineAddress {
		return nodes.Look(ctx, s)
	}
	options, err := o.EngineOptions()
	if err != nil {
		return nodes.Silent(s, err)
	}
	state, err := engine.Status(ctx, options)
	if err != nil {
		return nodes.Silent(s, err)
	}
	if state.Running {
		running := s
		running.Address = "unix://" + state.Socket
		facts := nodes.Look(ctx, running)
		facts.Address = s.Address
		facts.Running = nil // its builds make no records
		return facts
	}
	return o.sleepingEngine(ctx, s, options)
}

// sleepingEngine is what the engine will be when a build starts it.
func (o Options) sleepingEngine(ctx context.Context, s nodes.Spec, options engine.Options) nodes.Facts {
	f := nodes.Silent(s, errors.New("it does not run"))
	f.Error, f.Hint, f.BuildKit = "", "", engine.BuildKit
	f.Note = "not running; the next build starts it"
	all, err := detect.All(ctx, detect.Options{Runc: options.Runc, Rootless: engine.IsRootless()})
	if err != nil {
		return nodes.Silent(s, err)
	}
	for _, p := range all.Platforms {
		if p.How != detect.No {
			f.Listed = append(f.Listed, p.Platform)
		}
	}
	own := func(p platform.Platform) bool { return p == all.Host.Platform }
	f.Listed = append([]platform.Platform{all.Host.Platform}, slices.DeleteFunc(f.Listed, own)...)
	f.Native, f.Emulated = s.Split(f.Listed, all.Host.Native)
	cores := runtime.NumCPU()
	f.Cores, f.Slots = &cores, s.Slots(cores)
	f.DiskFree = freeBelow(o.StateDir())
	return f
}

// freeBelow is the room on the disk of a folder that may not exist yet.
func freeBelow(folder string) *int64 {
	var disk unix.Statfs_t
	for unix.Statfs(folder, &disk) != nil {
		if folder == filepath.Dir(folder) {
			return nil
		}
		folder = filepath.Dir(folder)
	}
	free := int64(disk.Bavail) * int64(disk.Bsize) //nolint:unconvert // their types differ among systems
	return &free
}

// WriteText prints a table of nodes, and below it what is wrong.
func WriteText(w io.Writer, list []nodes.Facts) error {
	var rows [][]string
	for _, f := range list {
		rows = append(rows, []string{
			f.Name, nodeState(f), cmp.Or(f.BuildKit, "-"), nodePlatforms(f.Native), nodePlatforms(f.Emulated),
			number(f.Cores), strconv.Itoa(f.Slots), strconv.FormatFloat(f.Weight, 'f', -1, 64), number(f.Running), size(f.DiskFree), size(f.CacheSize),
		})
	}
	if err := ui.Table(w, []string{"NODE", "STATE", "BUILDKIT", "NATIVE", "EMULATED", "CORES", "SLOTS", "WEIGHT", "RUNNING", "FREE", "CACHE"}, rows); err != nil {
		return err
	}
	for _, f := range list {
		if f.Hint != "" {
			f.Error += "; " + f.Hint
		}
		for _, line := range []string{f.Error, f.Note} {
			if line == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s (%s, %s): %s\n", ui.Line(f.Name), ui.Line(nodes.Shown(f.Address)), ui.Line(f.From), ui.Line(line)); err != nil {
				return err
			}
		}
	}
	return nil
}

func nodeState(f nodes.Facts) string {
	switch {
	case f.Error != "":
		return "silent"
	case !f.Reachable:
		return "asleep"
	}
	return "answers"
}

// nodePlatforms names one platform of each architecture, and how many others of it
// there are: amd64 (+3).
func nodePlatforms(list []platform.Platform) string {
	var words []string
	for i, p := range list {
		same := func(o platform.Platform) bool { return o.OS == p.OS && o.Arch == p.Arch }
		if slices.IndexFunc(list, same) < i {
			continue
		}
		variants := slices.DeleteFunc(slices.Clone(list), func(o platform.Platform) bool { return !same(o) })
		slices.SortFunc(variants, platform.Platform.Compare)
		shown := variants[0]
		if shown.Variant != "" { // of arm the newest, of amd64 the one without a level
			shown = variants[len(variants)-1]
		}
		word := strings.TrimPrefix(shown.String(), "linux/")
		if others := len(variants) - 1; others > 0 {
			word += fmt.Sprintf(" (+%d)", others)
		}
		words = append(words, word)
	}
	return cmp.Or(strings.Join(words, ", "), "-")
}

func number(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

func size(n *int64) string {
	if n == nil {
		return "-"
	}
	return ui.Size(*n)
}
