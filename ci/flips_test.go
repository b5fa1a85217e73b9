package ci_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/archbuild/archbuild/ci"
)

// TestEveryFlipOfARecord flips two bits of each byte, one at a time: the lowest, and another one by a seed. None of the documents is
// read, and each error says what to do.
func TestEveryFlipOfARecord(t *testing.T) {
	r, err := record(amd64).Sealed()
	if err != nil {
		t.Fatal(err)
	}
	file, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, whole := range map[string][]byte{"in a file": file, "in a registry": line} {
		if _, err := ci.ReadRecord("a", bytes.NewReader(whole)); err != nil {
			t.Fatal(err)
		}
		random, accepted := rand.New(rand.NewPCG(1, 1)), 0
		for i := range whole {
			for _, bit := range []byte{1, 2 << random.IntN(7)} {
				data := bytes.Clone(whole)
				data[i] ^= bit
				_, err := ci.ReadRecord("a", bytes.NewReader(data))
				var bad *ci.RecordError
				if err == nil {
					accepted++
					t.Errorf("byte %d, %q, is read", i, data[max(0, i-20):min(len(data), i+20)])
				} else if !errors.As(err, &bad) || bad.Hint() == "" {
					t.Errorf("%v does not say what to do", err)
				}
			}
		}
		t.Logf("a record %s: %d bytes, %d flips, %d accepted", name, len(whole), 2*len(whole), accepted)
	}
}
