package archbuild

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/outside"
)

// A node keeps a copy of each context, and takes a file for unchanged that has the size and
// the time it had. A file that was changed so that neither tells of it would never reach
// the image. Where a walk finds such a change, the folder gets another edition: to a node it
// is then a folder that it has not seen.

// renewFolder gives a folder another edition.
func (r run) renewFolder(folder string) {
	if os.MkdirAll(string(r.store.Files), 0o700) == nil {
		_ = outside.WriteWhole(r.edition(folder), []byte(rand.Text()))
	}
}

func (r run) edition(folder string) string {
	return filepath.Join(string(r.store.Files), fmt.Sprintf("%x", sha256.Sum256([]byte("edition\x00"+folder))))
}

// editions of the folders that a session offers; empty where all are the first.
func (r run) editions(s service) string {
	var list []string
	for _, folder := range r.offeredFolders(s) {
		name := r.edition(folder)
		if text, err := os.ReadFile(name); err == nil {
			now := time.Now()
			_ = os.Chtimes(name, now, now) // it is in use
			list = append(list, string(text))
		}
	}
	return strings.Join(list, " ")
}

// offeredFolders are those that a session offers.
func (r run) offeredFolders(s service) []string {
	return append([]string{s.context.Folder}, slices.Sorted(maps.Values(r.folders))...)
}

// renewFolders is for a node whose session broke. If it was killed while it brought its copy of a folder up to date, it
// has new files and has noted the digests of those before, and would take the one for the other.
func (r run) renewFolders(s service) {
	for _, folder := range r.offeredFolders(s) {
		r.renewFolder(folder)
	}
}
