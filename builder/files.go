package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// files is a flat folder in memory, as a local source for BuildKit. It holds
// every Dockerfile.ARCH of a run: on disk they would go stale or be left behind.
type files map[string][]byte

// Walk visits the files in the order of their names, as fsutil requires: all of
// them, or with a target that one alone.
func (f files) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	target = strings.TrimPrefix(filepath.Clean("/"+target), "/")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if target != "" && name != target {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		stat := &fstypes.Stat{Path: name, Mode: 0o644, Size: int64(len(f[name]))}
		if err := fn(name, &fsutil.DirEntryInfo{Stat: stat}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Open gives the content of one file.
func (f files) Open(name string) (io.ReadCloser, error) {
	content, ok := f[filepath.Clean(name)]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// dockerfiles are what a session offers under the name "dockerfile", and what came later. A
// node reads a name in one place once in a session. So what comes in the stead of
// something it may have read gets another place: "dockerfile-2", and so on.
type dockerfiles struct {
	mu sync.Mutex
	// places hold all files each, those of the place before included; a value is never changed.
	places []files
	// given says that a job was told of the last place.
	given bool
}

func newDockerfiles(initial map[string][]byte) *dockerfiles {
	return &dockerfiles{places: []files{maps.Clone(initial)}}
}

// add puts a file in the last place, or makes one.
func (d *dockerfiles) add(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.places) - 1
	was, known := d.places[last][name]
	if known && bytes.Equal(was, content) {
		return
	}
	next := files{name: bytes.Clone(content)}
	for name, content := range d.places[last] {
		if _, newer := next[name]; !newer {
			next[name] = content
		}
	}
	_, of := next[strings.TrimSuffix(name, ignore.File)]
	if d.given && (known || of && strings.HasSuffix(name, ignore.File)) {
		d.places, d.given = append(d.places, next), false
		return
	}
	d.places[last] = next
}

// give is the last place, for a job.
func (d *dockerfiles) give() (string, files) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given = true
	last := len(d.places) - 1
	return dockerfilePlace(last), d.places[last]
}

// lookUp finds what a node may read under a name.
func (d *dockerfiles) lookUp(place string) (files, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, held := range d.places {
		if dockerfilePlace(i) == place {
			return held, true
		}
	}
	return nil, false
}

// ignoring are the patterns that hold for the context in the builds of these files: those of a
// Dockerfile's own ignore file, else the context's.
func (d *dockerfiles) ignoring(common []string) [][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var sets [][]string
	useCommon := false
	for _, held := range d.places {
		for name := range held {
			if _, of := held[strings.TrimSuffix(name, ignore.File)]; of && strings.HasSuffix(name, ignore.File) {
				continue
			}
			own, has := held[name+ignore.File]
			if !has {
				useCommon = true
				continue
			}
			sets = append(sets, patterns(name+ignore.File, own))
		}
	}
	if useCommon || len(sets) == 0 {
		sets = append(sets, common)
	}
	slices.SortFunc(sets, slices.Compare)
	return slices.CompactFunc(sets, slices.Equal)
}

// dockerfileLocal is where the frontend looks for a Dockerfile unless it is told another place.
const dockerfileLocal = "dockerfile"

func dockerfilePlace(i int) string {
	if i == 0 {
		return dockerfileLocal
	}
	return fmt.Sprintf("%s-%d", dockerfileLocal, i+1)
}
