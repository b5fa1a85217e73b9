package resolve_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// TestEveryFlipOfALockFile flips two bits of each byte, one at a time: the lowest, and another one by a seed. None of the files is
// read, and each error says what to do.
func TestEveryFlipOfALockFile(t *testing.T) {
	s, _ := hub(t)
	lock, _ := lockOf(t, s.Client(), resolve.Rules{}, "debian:12", "old:1")
	lock = lock.WithCrossed([]resolve.CrossFailure{
		{Dockerfile: "Dockerfile", Digest: sum, Stage: "build", Platform: platform.MustParse("linux/arm/v7"), Reason: `<"x">`},
		{Dockerfile: "Dockerfile", Digest: sum, Stage: "final", Platform: platform.MustParse("linux/arm64"), Reason: "y"},
	})
	text := string(lock.Format())
	for name, whole := range map[string]string{"": text, " with other line ends": strings.ReplaceAll(text, "\n", "\r\n")} {
		if _, err := resolve.ParseLock("a.lock", []byte(whole)); err != nil {
			t.Fatal(err)
		}
		random, accepted := rand.New(rand.NewPCG(1, 1)), 0
		for i := range len(whole) {
			for _, bit := range []byte{1, 2 << random.IntN(7)} {
				data := []byte(whole)
				data[i] ^= bit
				_, err := resolve.ParseLock("a.lock", data)
				var bad *resolve.LockError
				if err == nil {
					accepted++
					t.Errorf("byte %d, %q, is read: %q", i, data[i], data[max(0, i-20):min(len(data), i+20)])
				} else if !errors.As(err, &bad) || !strings.Contains(bad.Hint(), "--update") {
					t.Errorf("%v does not say what to do", err)
				}
			}
		}
		t.Logf("archbuild.lock%s: %d bytes, %d flips, %d accepted", name, len(whole), 2*len(whole), accepted)
	}
}

// TestAMergeOfLockFilesNeedsNoNewSums: two branches that lock different images, put together line by line.
func TestAMergeOfLockFilesNeedsNoNewSums(t *testing.T) {
	s, _ := hub(t)
	one, _ := lockOf(t, s.Client(), resolve.Rules{}, "debian:12")
	two, _ := lockOf(t, s.Client(), resolve.Rules{}, "old:1")
	_, images, _ := strings.Cut(string(two.Format()), "images:\n")
	merged, err := resolve.ParseLock("a.lock", append(one.Format(), images...))
	if err != nil || len(merged.Images) != len(one.Images)+len(two.Images) {
		t.Error(merged.Images, err)
	}
	text := string(one.Format())
	if _, err := resolve.ParseLock("a.lock", []byte(strings.Replace(text, "version: 2", "version: 1", 1))); err == nil {
		t.Error("sums are read in a file of a version without")
	}
}
