package treesum_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BuildKit takes a file of the same size and time for the same.
func TestAChangeThatSizeAndTimeDoNotTellIsHidden(t *testing.T) {
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		what, content string
		time          time.Time
		settle        time.Duration
		hidden        bool
	}{
		{"another content of the same size and time", "c0ntent", at, 110 * time.Millisecond, true},
		{"the same at once, when the file is to be read anyway", "c0ntent", at, 0, true},
		{"another time", "c0ntent", at.Add(time.Second), 0, false},
		{"another size", "contents", at, 0, false},
		{"the same content", "content", at, 0, false},
	} {
		dir, memory := tree(t), filepath.Join(t.TempDir(), "memory")
		file := filepath.Join(dir, "src", "file")
		put(t, file, "content")
		try(t, os.Chtimes(file, at, at))
		time.Sleep(row.settle)
		if list(t, dir, memory).Hidden {
			t.Errorf("%s: what is seen first is hidden", row.what)
		}
		put(t, file, row.content)
		try(t, os.Chtimes(file, row.time, row.time))
		if got := list(t, dir, memory).Hidden; got != row.hidden {
			t.Errorf("%s: hidden is %t", row.what, got)
		}
		if list(t, dir, memory).Hidden {
			t.Errorf("%s: it is told twice", row.what)
		}
	}
}

func TestAFileThatCameAndWentChangesTheStamp(t *testing.T) {
	for _, name := range []string{"passing", "src/a/passing"} {
		dir := tree(t)
		before := list(t, dir, "")
		time.Sleep(20 * time.Millisecond)
		put(t, filepath.Join(dir, name), "")
		try(t, os.Remove(filepath.Join(dir, name)))
		if after := list(t, dir, ""); after.Stamp == before.Stamp || after.Digest != before.Digest {
			t.Errorf("%s is not seen, or changes more than the stamp", name)
		}
	}
}

func TestTimesAreADigestOfTheirOwn(t *testing.T) {
	dir := tree(t)
	before := list(t, dir, "")
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	try(t, os.Chtimes(filepath.Join(dir, "file"), at, at))
	if after := list(t, dir, ""); after.Times == before.Times || after.Digest != before.Digest {
		t.Error("a time changes something else than the times")
	}
}
