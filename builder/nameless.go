package builder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// beginning is how the name of a nameless file begins, for the moment that it has one.
const beginning = "context-"

// nameless makes a file and takes its name away.
func nameless(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making room for the archive: %w", err)
	}
	forget(folder)
	file, err := os.CreateTemp(folder, beginning)
	if err != nil {
		return nil, fmt.Errorf("making room for the archive: %w", err)
	}
	return file, os.Remove(file.Name())
}

// forget removes the names that runs had no time to take away: they were killed in
// that moment. Names of others are not a minute old.
func forget(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && strings.HasPrefix(entry.Name(), beginning) && info.Mode().IsRegular() && time.Since(info.ModTime()) > time.Minute {
			_ = os.Remove(filepath.Join(folder, entry.Name())) // Next time.
		}
	}
}
