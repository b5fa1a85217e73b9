package contents

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/platform"
)

// wanted is a file that is opened, and who takes it in.
type wanted struct {
	path string
	by   []taken
	// unpack tells that one of them unpacks it if it is an archive.
	unpack bool
	seen   *look
	note   string
}

// Look finds the programs and links that copies take out of a context. ignored tells what a
// build does not see of it (.dockerignore); of a folder: that it sees nothing in it either.
// A file that cannot be read is a Note; the error is that of ctx.
func Look(ctx context.Context, tree fs.FS, ignored func(path string, dir bool) bool, copies []Copy) (Found, error) {
	t := newTree(tree, ignored)
	found := Found{Copies: copies}
	files := map[string]*wanted{}
	for i, c := range copies {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		t.take(i, c, func(k taken) {
			w := files[k.path]
			if w == nil {
				w = &wanted{path: k.path}
				files[k.path] = w
			}
			if !slices.ContainsFunc(w.by, func(other taken) bool { return other.copy == i }) {
				w.by, w.unpack = append(w.by, k), w.unpack || c.Unpack
			}
		}, func(k taken) {
			if target, err := fs.ReadLink(tree, k.path); err == nil {
				found.Links = append(found.Links, Link{Copy: i, Path: k.path, Image: k.image, Target: target, Leads: t.leads(k.path, target)})
			}
		})
	}
	list := make([]*wanted, 0, len(files))
	for _, w := range files {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *wanted) int { return cmp.Compare(a.path, b.path) })
	if err := open(ctx, tree, list, wantsARM(copies)); err != nil {
		return found, err
	}
	for _, n := range t.notes {
		found.Notes = append(found.Notes, n)
	}
	found.add(list)
	found.sort()
	return found, nil
}

// wantsARM tells whether the version of a 32-bit ARM program matters.
func wantsARM(copies []Copy) bool {
	return slices.ContainsFunc(copies, func(c Copy) bool {
		return slices.ContainsFunc(c.Platforms, func(p platform.Platform) bool { return p.Arch == "arm" })
	})
}

// open looks at files, several at a time. What all may cost together is counted in their
// order, so that the result does not depend on who was first.
func open(ctx context.Context, tree fs.FS, list []*wanted, wantARM bool) error {
	group, ctx := errgroup.WithContext(ctx)
	var next, spent atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			memory := new(scratch)
			for {
				i := next.Add(1) - 1
				// Whoever is done comes before this one: when they have spent all, it is too late for it.
				if i >= int64(len(list)) || spent.Load() > maxAll {
					return nil
				}
				w := list[i]
				w.seen = newLook(ctx, wantARM, w.unpack, memory)
				if err := w.look(tree); err != nil && ctx.Err() != nil {
					return ctx.Err()
				}
				w.seen.scratch = nil
				spent.Add(w.seen.spent)
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var sum int64
	for _, w := range list {
		if sum > maxAll {
			w.seen, w.note = nil, "what came before it was long enough"
			continue
		}
		sum += w.seen.spent
	}
	return nil
}

// look opens one file.
func (w *wanted) look(tree fs.FS) error {
	file, err := tree.Open(w.path)
	if err != nil {
		w.note = "it cannot be read"
		return err
	}
	defer file.Close()
	from := source{Reader: file, size: -1}
	if at, ok := file.(io.ReaderAt); ok {
		if info, err := file.Stat(); err == nil {
			from.at, from.size = at, info.Size()
		}
	}
	err = w.seen.file(from, w.path, 0)
	if err != nil {
		w.seen.note("", reason(err))
	}
	w.note = w.seen.why
	return err
}

// add takes over what was seen, for each who takes it in.
func (f *Found) add(list []*wanted) {
	for _, w := range list {
		if w.note != "" {
			f.Notes = append(f.Notes, Note{Path: w.path, Why: w.note})
		}
		if w.seen == nil {
			continue
		}
		for _, k := range w.by {
			c := f.Copies[k.copy]
			unpacks := c.Unpack && w.seen.unpacked()
			for _, p := range w.seen.programs {
				f.Programs = append(f.Programs, Program{Copy: k.copy, Path: w.path, Inside: p.name, Image: k.within(c, p.name, unpacks), Program: p.program})
			}
			for _, p := range w.seen.links {
				if unpacks {
					f.Links = append(f.Links, Link{Copy: k.copy, Path: w.path, Inside: p.name, Image: k.within(c, p.name, true), Target: p.target})
				}
			}
		}
	}
}

// within is where a file of an archive goes: below the destination if it is unpacked.
func (k taken) within(c Copy, inside string, unpacks bool) string {
	if !unpacks || c.Dest == "" {
		return k.image
	}
	outer, _, _ := strings.Cut(inside, "!")
	return path.Join(c.Dest, outer)
}

// sort gives the order that Found promises.
func (f *Found) sort() {
	slices.SortStableFunc(f.Programs, func(a, b Program) int {
		return cmp.Or(cmp.Compare(a.Copy, b.Copy), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inside, b.Inside))
	})
	slices.SortStableFunc(f.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Copy, b.Copy), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inside, b.Inside))
	})
	f.Links = slices.CompactFunc(f.Links, func(a, b Link) bool { return a.Copy == b.Copy && a.Path == b.Path && a.Inside == b.Inside })
	slices.SortFunc(f.Notes, func(a, b Note) int { return cmp.Compare(a.Path, b.Path) })
}
