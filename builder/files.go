package builder

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// rootOwned strips owner and group from what is sent.
func rootOwned(_ string, stat *fstypes.Stat) fsutil.MapResult {
	stat.Uid, stat.Gid = 0, 0
	return fsutil.MapResultKeep
}
