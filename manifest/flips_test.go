package manifest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestEveryFlipOfTheJournal flips two bits of each byte, one at a time. What a page still says is what was written; the rest was
// not remembered.
func TestEveryFlipOfTheJournal(t *testing.T) {
	journal := Journal{Dir: t.TempDir()}
	page := journal.page("registry.example/app")
	there, begun := digest.FromString("a"), digest.FromString("b")
	page.confirm(there)
	page.Remember("", begun, "https://registry.example/v2/app/blobs/uploads/1?state=<secret>")
	page.close(false)
	files, err := filepath.Glob(filepath.Join(journal.Dir, "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	was := journal.page("registry.example/app")
	was.close(false)
	if len(was.blobs) != 2 {
		t.Fatalf("%v", was.blobs)
	}
	kept, random := 0, rand.New(rand.NewPCG(1, 1))
	for i := range whole {
		for _, bit := range []byte{1, 2 << random.IntN(7)} {
			data := bytes.Clone(whole)
			data[i] ^= bit
			if err := os.WriteFile(files[0], data, 0o600); err != nil {
				t.Fatal(err)
			}
			now := journal.page("registry.example/app")
			now.close(false)
			for d, e := range now.blobs {
				if was.blobs[d] != e {
					t.Errorf("byte %d: %+v was never written", i, e)
				}
				kept++
			}
			if len(now.blobs) == len(was.blobs) {
				t.Errorf("byte %d, %q, is read as it was", i, data[max(0, i-20):min(len(data), i+20)])
			}
		}
	}
	t.Logf("the journal: %d bytes, %d flips, %d lines kept that were not hit, 0 accepted", len(whole), 2*len(whole), kept)
}
