package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// store is the content store in the state folder: what BuildKit exports lands
// here, and every output is made from here. It is a cache: a second run finds
// the blobs and has none sent again.
type store struct {
	dir string
	// answers are those of registries, which are pruned at the same time. Each can
	// be missing at any moment: it is asked for again.
	answers folder
	// results are notes of what jobs were built to, files are memories of what the files
	// of contexts hold, times of how long jobs took, verdicts of what verification
	// found. All can be missing as well.
	results, files, times, verdicts folder
}

// Names in the state folder.
const (
	resultsName = "results"
	filesName   = "files"
)

func (o Options) contentStore() store {
	below := func(name string) string { return filepath.Join(o.stateDir(), name) }
	return store{dir: below("store"), answers: folder(o.world().AnswersDir()), results: folder(below(resultsName)), files: folder(below(filesName)), times: folder(o.history().dir), verdicts: folder(o.world().VerdictsDir())}
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

// hold keeps blobs from being pruned until release is called. Any number of
// runs hold it at once; the last one to let go prunes.
func (s store) hold(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil { // images may be private
		return nil, &StateError{Folder: filepath.Dir(s.dir), Err: err}
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
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
			s.prune(time.Now())
		}
		lock.Close()
	}, nil
}

// prune drops unfinished blobs, blobs that were not written lately, and the
// oldest of the rest until the store is within its bounds. A blob it cannot
// remove is left: the next run tries again.
func (s store) prune(now time.Time) {
	s.clear()
	s.blobs().trim(now, bounds{age: storeAge}, bounds{most: storeBytes})
	s.results.trim(now, bounds{age: storeAge}, bounds{most: resultsBytes})
	s.files.trim(now, bounds{age: storeAge}, bounds{most: filesBytes})
	s.times.trim(now, bounds{age: timesAge}, bounds{most: timesBytes})
	s.answers.trim(now, bounds{age: answersAge}, bounds{most: answersBytes})
}

// clear removes what runs that were killed have left half done.
func (s store) clear() {
	os.RemoveAll(filepath.Join(s.dir, "ingest"))
	os.RemoveAll(s.scratch())
	for _, f := range []folder{s.blobs(), s.results, s.files, s.times, s.answers, s.verdicts} {
		f.clear()
	}
}

// scratch is for files that are of use to a run alone, as long as it holds the store.
func (s store) scratch() string { return filepath.Join(s.dir, "scratch") }

func (s store) blobs() folder { return folder(filepath.Join(s.dir, "blobs", "sha256")) }

// tidy clears after runs that hold no store, unless some other run needs it.
func (s store) tidy() { _ = s.exclusively(s.clear) }

// empty prunes the store further than it does by itself, unless a run needs it.
func (s store) empty(b bounds, now time.Time) (gone trimmed, busy bool) {
	busy = s.exclusively(func() {
		s.clear()
		gone = s.blobs().trim(now, b)
	})
	return gone, busy
}

// exclusively does something while no run holds the store; busy says that one does. Where there is no store, nothing is done.
func (s store) exclusively(do func()) (busy bool) {
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR, 0)
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
