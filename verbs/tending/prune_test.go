package tending_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/tending"
)

// blob is a name as archbuild gives it, by a digest.
func blob(of string) string { return digest.FromString(of).Encoded() }

// kept makes a state folder in which no engine has ever run: four results and
// two answers of registries of 1000 bytes each, named for their age.
func kept(t *testing.T) (outside.World, string) {
	t.Helper()
	state := t.TempDir()
	for name, age := range map[string]time.Duration{
		"store/blobs/sha256/" + blob("hour"): time.Hour, "store/blobs/sha256/" + blob("day"): 24 * time.Hour,
		"store/blobs/sha256/" + blob("days"): 48 * time.Hour, "store/blobs/sha256/" + blob("week"): 168 * time.Hour,
		"store/ingest/half": 0, "store/scratch/caches-1/half": 0, "store/lock": 0,
		"registry/0123456789abcdef/sha256-" + blob("hour"): time.Hour, "registry/0123456789abcdef/tag-week": 168 * time.Hour,
	} {
		file := filepath.Join(state, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	opts := outside.World{System: outside.System{Stdout: io.Discard, Stderr: t.Output()}}
	opts.State = state
	return opts, state
}

// left are the files that are still there.
func left(t *testing.T, state string) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"store/blobs/sha256/*", "store/ingest/*", "registry/*/*"} {
		paths, _ := filepath.Glob(filepath.Join(state, pattern))
		for _, path := range paths {
			name := strings.TrimPrefix(strings.TrimPrefix(filepath.Base(path), "sha256-"), "tag-")
			for _, age := range []string{"hour", "day", "days", "week"} {
				if name == blob(age) {
					name = age
				}
			}
			names = append(names, strings.Split(strings.TrimPrefix(path, state+"/"), "/")[0]+" "+name)
		}
	}
	slices.Sort(names)
	return names
}

func TestPruningOfArchbuildsOwnFolders(t *testing.T) {
	all := []string{"registry hour", "registry week", "store day", "store days", "store hour", "store week"}
	for name, tt := range map[string]struct {
		want tending.Pruning
		left []string
		size int64
	}{
		"everything": {tending.Pruning{}, nil, 6000},
		"what is old enough": {tending.Pruning{KeepDuration: 36 * time.Hour},
			[]string{"registry hour", "store day", "store hour"}, 3000},
		"by a filter's time": {tending.Pruning{Filters: []string{"until=36h"}},
			[]string{"registry hour", "store day", "store hour"}, 3000},
		"the oldest, until each folder is within a bound": {tending.Pruning{MaxUsedSpace: "2500"},
			[]string{"registry hour", "registry week", "store day", "store hour"}, 2000},
		"nothing within a bound": {tending.Pruning{MaxUsedSpace: "1GB"}, all, 0},
		"of the old ones only what is above a bound": {tending.Pruning{KeepDuration: 36 * time.Hour, MaxUsedSpace: "3000"},
			[]string{"registry hour", "registry week", "store day", "store days", "store hour"}, 1000},
		"down to what is reserved":                           {tending.Pruning{ReservedSpace: "1000"}, []string{"registry hour", "store hour"}, 4000},
		"nothing while the disk has enough":                  {tending.Pruning{MinFreeSpace: "1"}, all, 0},
		"everything while it has not":                        {tending.Pruning{MinFreeSpace: "1000PB"}, nil, 6000},
		"nothing of them by a filter for the engine's cache": {tending.Pruning{Filters: []string{"type=regular"}}, all, 0},
	} {
		t.Run(name, func(t *testing.T) {
			opts, state := kept(t)
			pruned, err := tending.Prune(t.Context(), opts, tt.want)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(left(t, state), func(name string) bool { return name == "store half" })
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.left)), got); diff != "" {
				t.Errorf("what is left differs (-want +got):\n%s", diff)
			}
			if pruned.Total != tt.size {
				t.Errorf("it says %d bytes, want %d", pruned.Total, tt.size)
			}
			if _, err := os.Stat(filepath.Join(state, "run")); err == nil {
				t.Error("an engine was started for nothing")
			}
		})
	}
}

func TestResultsThatABuildNeedsAreLeftAlone(t *testing.T) {
	opts, state := kept(t)
	lock, err := os.Open(filepath.Join(state, "store/lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	pruned, err := tending.Prune(t.Context(), opts, tending.Pruning{})
	if err != nil || !slices.Equal(pruned.Kept, []string{"results"}) || pruned.Total != 2000 {
		t.Errorf("%+v, %v", pruned, err)
	}
	if got := left(t, state); len(got) != 5 {
		t.Errorf("left: %q", got)
	}
	disk, err := tending.Usage(t.Context(), opts, false)
	if err != nil || disk.Total != 4000 {
		t.Errorf("%+v, %v", disk, err)
	}
}

// A state folder can be a folder of the user's, by a slip of --state.
func TestPruningLeavesWhatArchbuildHasNotMade(t *testing.T) {
	opts, state := kept(t)
	theirs := []string{"registry/index.js", "registry/0123456789abcdef/notes", "registry/docker/v2/blobs/sha256/ab/" + blob("x") + "/data", "verdicts/2024.pdf", "store/blobs/sha256/readme"}
	for _, name := range theirs {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(state, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(state, name), []byte("theirs"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pruned, err := tending.Prune(t.Context(), opts, tending.Pruning{})
	if err != nil || pruned.Total != 6000 {
		t.Errorf("%+v, %v", pruned, err)
	}
	for _, name := range theirs {
		if _, err := os.Stat(filepath.Join(state, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(state, "store/scratch")); err == nil {
		t.Error("what a run that was killed has left is still there")
	}
}
