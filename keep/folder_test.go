package keep

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A killed program cannot remove its temporary files. Those in caches are found when a build lets go of the store.
func TestWhatKilledRunsLeaveIsTrimmed(t *testing.T) {
	state := t.TempDir()
	long := strings.Repeat("0123456789abcdef", 4)
	cases := []struct {
		name string
		age  time.Duration
		goes bool
	}{
		{"store/blobs/sha256/.new-123", storeAge + time.Hour, true},
		{"store/blobs/sha256/.new-124", 0, true}, // nobody else holds the store
		{"store/ingest/abc/data", 0, true},
		{"store/scratch/caches-1/blob", 0, true},
		{"results/0123456789abcdef/.new-123", storeAge + time.Hour, true},
		{"files/.new-123", storeAge + time.Hour, true},
		{"registry/0123456789abcdef/.new-123", answersAge + time.Hour, true},
		{"times/" + long[:32] + ".json", timesAge + time.Hour, true},
		{"times/" + long[32:] + ".txt", timesAge + time.Hour, false}, // not archbuild's
	}
	for _, c := range cases {
		path, at := filepath.Join(state, c.name), time.Now().Add(-c.age)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("half"), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	release, err := In(state).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	for _, c := range cases {
		if _, err := os.Stat(filepath.Join(state, c.name)); os.IsNotExist(err) != c.goes {
			t.Errorf("%s, %v old: gone is %t, want %t", c.name, c.age, !c.goes, c.goes)
		}
	}
}
