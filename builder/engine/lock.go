package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errLocked says that somebody else holds a lock.
var errLocked = errors.New("locked by another process")

// openLock opens the file of a lock without taking it.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// takeLock takes the lock of an open file or returns errLocked. The lock goes
// when every process that has inherited the file has closed it or ended.
func takeLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return nil
}

// tryLock takes the lock on path or returns errLocked. The lock goes when the
// file is closed, or with the process.
func tryLock(path string) (*os.File, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err := takeLock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// waitLock takes the lock on path, waiting for as long as ctx allows.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return f, err
		}
		if err := pauseLock(ctx, path); err != nil {
			return nil, err
		}
	}
}

// waitTaken is waitLock for a file that is open.
func waitTaken(ctx context.Context, f *os.File) error {
	for {
		if err := takeLock(f); !errors.Is(err, errLocked) {
			return err
		}
		if err := pauseLock(ctx, f.Name()); err != nil {
			return err
		}
	}
}

func pauseLock(ctx context.Context, path string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", path, context.Cause(ctx))
	case <-time.After(2 * time.Millisecond):
		return nil
	}
}
