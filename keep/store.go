// Package keep is what archbuild keeps in its state folder between runs: images blob by blob, as BuildKit has
// exported them, and beside them what it remembers. All of it can be had again, so all of it is bounded: runs hold
// the store while they need it, and the last one to let go of it removes what is old or too much.
package keep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Store is the content store in the state folder: what BuildKit exports lands
// here, and every output is made from here. It is a cache: a second run finds
// the blobs and has none sent again.
type Store struct {
	// Dir is the folder of the blobs and of their lock.
	Dir string
	// Answers are those of registries, which are pruned at the same time. Each can
	// be missing at any moment: it is asked for again.
	Answers Folder
	// Results are notes of what jobs were built to, Files are memories of what the files
	// of contexts hold, Times of how long jobs took, Verdicts of what verification
	// found. All can be missing as well.
	Results, Files, Times, Verdicts Folder
	// Journal is the folder where interrupted pushes are remembered.
	Journal string
}

// In is what is kept in a state folder. Nothing is made before Hold.
func In(state string) Store {
	below := func(name string) string { return filepath.Join(state, name) }
	return Store{
		Dir: below("store"), Answers: Folder(below("registry")), Results: Folder(below("results")), Files: Folder(below("files")),
		Times: Folder(below("times")), Verdicts: Folder(below("verdicts")), Journal: below("journal"),
	}
}

// Bounds of the store between runs. Within a run it holds whatever is needed.
const (
	storeBytes = 10 << 30
	storeAge   = 7 * 24 * time.Hour

	resultsBytes = 64 << 20
	filesBytes   = 256 << 20

	timesBytes = 4 << 20
	timesAge   = 90 * 24 * time.Hour

	answersBytes = 256 << 20
	answersAge   = 30 * 24 * time.Hour
)

// Hold keeps blobs from being pruned until release is called. Any number of
// runs hold it at once; the last one to let go prunes.
func (s Store) Hold(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil { // images may be private
		return nil, &StateError{Folder: filepath.Dir(s.Dir), Err: err}
	}
	lock, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the content store: %w", err)
	}
	for {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			lock.Close()
			return nil, fmt.Errorf("locking the content store: %w", err)
		}
		select {
		case <-ctx.Done():
			lock.Close()
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond): // somebody prunes; that is short
		}
	}
	return func() {
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			s.Prune(time.Now())
		}
		lock.Close()
	}, nil
}

// Prune drops unfinished blobs, blobs that were not written lately, and the
// oldest of the rest until the store is within its bounds. A blob it cannot
// remove is left: the next run tries again.
func (s Store) Prune(now time.Time) {
	s.clear()
	s.BlobFolder().Trim(now, Bounds{Age: storeAge}, Bounds{Most: storeBytes})
	s.Results.Trim(now, Bounds{Age: storeAge}, Bounds{Most: resultsBytes})
	s.Files.Trim(now, Bounds{Age: storeAge}, Bounds{Most: filesBytes})
	s.Times.Trim(now, Bounds{Age: timesAge}, Bounds{Most: timesBytes})
	s.Answers.Trim(now, Bounds{Age: answersAge}, Bounds{Most: answersBytes})
}

// clear removes what runs that were killed have left half done.
func (s Store) clear() {
	os.RemoveAll(filepath.Join(s.Dir, "ingest"))
	os.RemoveAll(s.Scratch())
	for _, f := range []Folder{s.BlobFolder(), s.Results, s.Files, s.Times, s.Answers, s.Verdicts} {
		f.clear()
	}
}

// Scratch is for files that are of use to a run alone, as long as it holds the store.
func (s Store) Scratch() string { return filepath.Join(s.Dir, "scratch") }

// BlobFolder has the blobs, and nothing else.
func (s Store) BlobFolder() Folder { return Folder(filepath.Join(s.Dir, "blobs", "sha256")) }

// Tidy clears after runs that hold no store, unless some other run needs it.
func (s Store) Tidy() { _ = s.exclusively(s.clear) }

// Empty prunes the store further than it does by itself, unless a run needs it.
func (s Store) Empty(b Bounds, now time.Time) (gone Trimmed, busy bool) {
	busy = s.exclusively(func() {
		s.clear()
		gone = s.BlobFolder().Trim(now, b)
	})
	return gone, busy
}

// exclusively does something while no run holds the store; busy says that one does. Where there is no store, nothing is done.
func (s Store) exclusively(do func()) (busy bool) {
	lock, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return true
	}
	do()
	return false
}
