package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// followPause is the time between two looks at a log that is followed.
const followPause = 100 * time.Millisecond

// LogOptions say what of the log is wanted.
type LogOptions struct {
	// Tail is how many of the last lines; below 0 all of them.
	Tail int
	// Follow goes on with what the engine writes, and those after it, until the
	// context ends, which is no error then.
	Follow bool
}

// Logs hands the lines of engine.log to each, without their ends. It needs no
// engine. A log that is not there is an error that wraps [fs.ErrNotExist],
// unless it is followed.
func Logs(ctx context.Context, o Options, want LogOptions, each func(line string) error) error {
	l, err := newLayout(o)
	if err != nil {
		return err
	}
	t := &tail{path: l.log, each: each}
	defer t.close()
	err = t.open()
	if err == nil {
		err = t.last(want.Tail)
	}
	if !want.Follow || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, t.rest())
	}
	for {
		select {
		case <-ctx.Done():
			return t.rest()
		case <-time.After(followPause):
		}
		if err := t.more(); err != nil {
			return err
		}
	}
}

// tail reads a log that others write to, cut and replace.
type tail struct {
	path string
	each func(string) error

	file   *os.File
	reader *bufio.Reader
	// half is a line whose end is not written yet.
	half string
	at   int64
}

func (t *tail) open() error {
	file, err := os.OpenFile(t.path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("opening the engine's log: %w", err)
	}
	t.close()
	t.file, t.reader, t.at = file, bufio.NewReader(file), 0
	return nil
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// last hands over the last n lines of what there is; below 0 all.
func (t *tail) last(n int) error {
	var lines []string
	keep := func(line string) error {
		lines = append(lines, line)
		if n >= 0 && len(lines) > n {
			lines = slices.Delete(lines, 0, len(lines)-n)
		}
		return nil
	}
	if n < 0 {
		return t.read(t.each)
	}
	if err := t.read(keep); err != nil {
		return err
	}
	for _, line := range lines {
		if err := t.each(line); err != nil {
			return err
		}
	}
	return nil
}

// more reads what has come since, in this file or in the one that took its place.
func (t *tail) more() error {
	if t.file != nil {
		if err := t.read(t.each); err != nil {
			return err
		}
	}
	now, err := os.Stat(t.path)
	if err != nil {
		return nil // it may come back
	}
	if t.file != nil {
		have, err := t.file.Stat()
		if err == nil && os.SameFile(have, now) && now.Size() >= t.at {
			return nil
		}
	}
	if err := t.open(); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return t.read(t.each)
}

// read hands over the whole lines up to the file's present end.
func (t *tail) read(each func(string) error) error {
	for {
		text, err := t.reader.ReadString('\n')
		t.at += int64(len(text))
		t.half += text
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the engine's log: %w", err)
		}
		line := strings.TrimSuffix(t.half, "\n")
		t.half = ""
		if err := each(line); err != nil {
			return err
		}
	}
}

// rest hands over a last line without an end.
func (t *tail) rest() error {
	if t.half == "" {
		return nil
	}
	return t.each(t.half)
}
