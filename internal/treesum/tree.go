package treesum

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/opencontainers/go-digest"
)

// Tree is what is walked, and how.
type Tree struct {
	// Folder on this machine; empty where the files are those of FS.
	Folder string
	FS     fs.FS
	// Ignore are the patterns of what is left out, as in a .dockerignore; may be nil.
	Ignore *patternmatcher.PatternMatcher
	// LeftOut tells of an entry that does not count, nor does anything below it; may be nil.
	LeftOut func(name string, info fs.FileInfo) bool
	// Memory is a file that keeps what was read, for a Folder; empty keeps nothing.
	// It may be lost at any time.
	Memory string
}

// Sum is a SHA-256.
type Sum [sha256.Size]byte

// Digest writes it as digests of images are.
func (s Sum) Digest() digest.Digest { return digest.NewDigestFromBytes(digest.SHA256, s[:]) }

// Entry is a file, folder or link of a tree.
type Entry struct {
	// Name is its path below the root, with slashes.
	Name string
	Mode fs.FileMode
	// Content is the digest of a file's bytes.
	Content Sum
	// Target is where a symbolic link leads to. Of a file with several names in the
	// tree it is the first one, for all but that.
	Target string
	// Attributes is the digest of its extended attributes; zero is none.
	Attributes Sum
	// Device of a device node.
	Device uint64

	facts facts
	// filled says that the content was remembered, hidden that it is another one, and size
	// and time of the file do not tell.
	filled, hidden bool
}

// Listing is what a walk has found.
type Listing struct {
	// Entries in the order of a walk: a folder comes before what is in it.
	Entries []*Entry
	// Digest of all of it.
	Digest Sum
	// Stamp changes whenever a file is written to, even if it is the same afterwards, and
	// whenever one comes to a folder or goes. It is of use between two walks of one run, to
	// find that nothing changed in between.
	Stamp Sum
	// Times is the digest of the times of all entries.
	Times Sum
	// Hidden says that a file was changed since it was remembered, and neither its size nor
	// its time tells of it: who goes by those, as BuildKit does, takes it for the same.
	Hidden bool
}

// List walks the tree. All files that are not remembered are read, several at a time. What
// may not be read counts by its name: nobody else gets to see what is in it either.
func (t Tree) List(ctx context.Context) (Listing, error) {
	w := walk{Tree: t, ctx: ctx, free: make(chan struct{}, 4*runtime.GOMAXPROCS(0))}
	root := &Entry{Name: ".", Mode: fs.ModeDir}
	if t.Folder != "" {
		w.known = recall(t.Memory)
		info, err := os.Stat(t.Folder)
		if err != nil {
			return Listing{}, err
		}
		root.facts = factsOf(info)
	}
	entries, err := w.folder(".", patternmatcher.MatchInfo{})
	if err != nil {
		return Listing{}, err
	}
	oneFile(entries)
	if t.Folder != "" {
		w.known.keep(t.Memory, entries)
	}
	return Listing{
		Entries: entries,
		Digest:  sumOf(entries, (*Entry).appendContent),
		Stamp:   sumOf(append([]*Entry{root}, entries...), (*Entry).appendFacts),
		Times:   sumOf(entries, (*Entry).appendTime),
		Hidden:  slices.ContainsFunc(entries, func(e *Entry) bool { return e.hidden }),
	}, nil
}

// walk is one walk of a tree.
type walk struct {
	Tree
	ctx   context.Context
	known *memory
	// free holds a token for each folder that is walked beside the first one.
	free chan struct{}
	// reliable are devices, and whether their times are believed.
	reliable sync.Map
	// buffers to read files with.
	buffers sync.Pool
}

func (w *walk) buffer() *[]byte {
	if buffer, ok := w.buffers.Get().(*[]byte); ok {
		return buffer
	}
	const enough = 64 << 10
	buffer := make([]byte, enough)
	return &buffer
}

// folder lists a folder and all below it; match is how the ignore file takes it.
func (w *walk) folder(name string, match patternmatcher.MatchInfo) ([]*Entry, error) {
	if w.ctx.Err() != nil {
		return nil, context.Cause(w.ctx)
	}
	names, err := w.read(name)
	if err != nil && (name == "." || !errors.Is(err, fs.ErrPermission)) {
		return nil, err
	}
	var parts []*part
	var beside sync.WaitGroup
	for len(names) > 0 {
		some := together(names)
		p, of := &part{}, names[:some]
		parts, names = append(parts, p), names[some:]
		do := func() { p.entries, p.err = w.entries(name, of, match) }
		select {
		case w.free <- struct{}{}:
			beside.Go(func() { do(); <-w.free })
		default:
			do()
		}
	}
	beside.Wait()
	count := 0
	for _, p := range parts {
		if p.err != nil {
			return nil, p.err
		}
		count += len(p.entries)
	}
	all := make([]*Entry, 0, count)
	for _, p := range parts {
		all = append(all, p.entries...)
	}
	return all, nil
}

// part is some of a folder.
type part struct {
	entries []*Entry
	err     error
}

// together is how many of the first names are looked at one after the other: a folder
// by itself, files in lots.
func together(names []fs.DirEntry) int {
	const lot = 100
	n := 0
	for n < len(names) && n < lot && !names[n].IsDir() {
		n++
	}
	return max(n, 1)
}

func (w *walk) entries(folder string, names []fs.DirEntry, match patternmatcher.MatchInfo) ([]*Entry, error) {
	all := make([]*Entry, 0, len(names))
	for _, found := range names {
		more, err := w.entry(folder, found, match)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func (w *walk) read(name string) ([]fs.DirEntry, error) {
	if w.Folder != "" {
		return os.ReadDir(w.path(name))
	}
	return fs.ReadDir(w.FS, name)
}

func (w *walk) path(name string) string { return filepath.Join(w.Folder, filepath.FromSlash(name)) }

// entry gives one entry of a folder, with what is below it. A folder that is left out
// counts where something in it does.
func (w *walk) entry(folder string, found fs.DirEntry, above patternmatcher.MatchInfo) ([]*Entry, error) {
	name := path.Join(folder, found.Name())
	var out bool
	var match patternmatcher.MatchInfo
	if w.Ignore != nil {
		var err error
		if out, match, err = w.Ignore.MatchesUsingParentResults(filepath.FromSlash(name), above); err != nil {
			return nil, err
		}
	}
	if out && (!found.IsDir() || !w.Ignore.Exclusions()) {
		return nil, nil
	}
	info, err := found.Info()
	if err != nil || w.LeftOut != nil && w.LeftOut(name, info) {
		return nil, err
	}
	e := &Entry{Name: name, Mode: info.Mode(), facts: factsOf(info)}
	if e.Mode&fs.ModeDevice != 0 {
		e.Device = e.facts.device
	}
	e.facts.known = e.facts.known && w.isReliable(e)
	if err := w.look(e); err != nil || !info.IsDir() {
		return []*Entry{e}, err
	}
	below, err := w.folder(name, match)
	if err != nil || out && len(below) == 0 {
		return nil, err
	}
	return slices.Insert(below, 0, e), nil
}

// look fills in what an entry holds.
func (w *walk) look(e *Entry) error {
	if w.known.fill(e) {
		return nil
	}
	var err error
	switch {
	case e.Mode.IsRegular():
		e.Content, err = w.content(e)
		e.hidden = err == nil && w.known.hides(e)
		if errors.Is(err, fs.ErrPermission) {
			err = nil
		}
	case e.Mode&fs.ModeSymlink != 0 && w.Folder != "":
		e.Target, err = os.Readlink(w.path(e.Name))
	case e.Mode&fs.ModeSymlink != 0:
		e.Target, err = fs.ReadLink(w.FS, e.Name)
	}
	if err == nil && w.Folder != "" {
		e.Attributes, err = attributes(w.path(e.Name))
	}
	return err
}

// content reads a file. One that changed meanwhile is not remembered.
func (w *walk) content(e *Entry) (Sum, error) {
	began := time.Now()
	file, err := w.open(e.Name)
	if err != nil {
		return Sum{}, err
	}
	defer file.Close()
	sum := sha256.New()
	buffer := w.buffer()
	defer w.buffers.Put(buffer)
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{file}, *buffer); err != nil { // a file's own way makes a buffer each time
		return Sum{}, err
	}
	after, err := file.Stat()
	if err != nil {
		return Sum{}, err
	}
	e.facts.settled = w.Folder != "" && e.facts.known && factsOf(after) == e.facts && e.facts.before(began)
	return Sum(sum.Sum(nil)), nil
}

// isReliable says whether the times of a file are believed. It is asked once for a device.
func (w *walk) isReliable(e *Entry) bool {
	if w.Memory == "" {
		return true
	}
	known, ok := w.reliable.Load(e.facts.on)
	if !ok {
		at := e.Name // a folder can be another device than the one above it
		if !e.Mode.IsDir() {
			at = path.Dir(at)
		}
		known = timesReliable(w.path(at))
		w.reliable.Store(e.facts.on, known)
	}
	return known == true
}

func (w *walk) open(name string) (fs.File, error) {
	if w.Folder == "" {
		return w.FS.Open(name)
	}
	// A link that has come in its place meanwhile leads nowhere, and a pipe is not waited for.
	return os.OpenFile(w.path(name), os.O_RDONLY|noFollow, 0)
}

// oneFile finds names that are one file: all but the first are links to that.
func oneFile(entries []*Entry) {
	type inode struct{ device, number uint64 }
	first := map[inode]string{}
	for _, e := range entries {
		if !e.Mode.IsRegular() || e.facts.links < 2 {
			continue
		}
		at := inode{e.facts.on, e.facts.inode}
		if name, ok := first[at]; ok {
			e.Target = name
		} else {
			first[at] = e.Name
		}
	}
}

// sumOf adds up what is said of each entry.
func sumOf(entries []*Entry, say func(*Entry, []byte) []byte) Sum {
	const much = 32 << 10
	sum := sha256.New()
	lines := make([]byte, 0, much+much/8)
	for _, e := range entries {
		if lines = say(e, lines); len(lines) > much {
			sum.Write(lines)
			lines = lines[:0]
		}
	}
	sum.Write(lines)
	return Sum(sum.Sum(nil))
}

// appendContent says what counts, each text with its length before it.
func (e *Entry) appendContent(to []byte) []byte {
	to = appendText(to, e.Name)
	to = binary.LittleEndian.AppendUint32(to, uint32(e.Mode))
	to = append(to, e.Content[:]...)
	to = appendText(to, e.Target)
	to = append(to, e.Attributes[:]...)
	return binary.LittleEndian.AppendUint64(to, e.Device)
}

// appendFacts says what the system says of a file. A folder changes whenever something
// comes or goes in it, be it something that is left out: it could as well be a file that
// was there just long enough to be taken along.
func (e *Entry) appendFacts(to []byte) []byte {
	return e.facts.append(appendText(to, e.Name))
}

func (e *Entry) appendTime(to []byte) []byte {
	return binary.LittleEndian.AppendUint64(appendText(to, e.Name), uint64(e.facts.written))
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// errForgotten says that what was remembered cannot be read: it counts for nothing.
var errForgotten = errors.New("not what was written")
