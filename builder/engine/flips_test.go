package engine

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestEveryFlipOfEngineJSON flips two bits of each byte, one at a time. What is read is the record as it was written, or none: who
// looks for the engine is then told by the lock alone.
func TestEveryFlipOfEngineJSON(t *testing.T) {
	l := layout{record: filepath.Join(t.TempDir(), "engine.json")}
	was := record{State: State{Running: true, PID: 4711, Socket: "/run/user/1000/archbuild/engine.sock", Emulators: []string{"qemu-arm=/usr/bin/qemu-arm"}}, StartTime: 987654321}
	if err := l.writeRecord(was); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(l.record)
	if err != nil {
		t.Fatal(err)
	}
	same, none, random := 0, 0, rand.New(rand.NewPCG(1, 1))
	for i := range whole {
		for _, bit := range []byte{1, 2 << random.IntN(7)} {
			data := bytes.Clone(whole)
			data[i] ^= bit
			if err := os.WriteFile(l.record, data, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := l.readRecord()
			got.Sum = ""
			switch {
			case err != nil:
				t.Fatal(err)
			case reflect.DeepEqual(got, was):
				same++ // The name of the sum was hit, and nothing else.
			case reflect.DeepEqual(got, record{}):
				none++
			default:
				t.Errorf("byte %d, %q, is read as %+v", i, data[max(0, i-20):min(len(data), i+20)], got)
			}
		}
	}
	t.Logf("engine.json: %d bytes, %d flips, %d read as it was, %d not read, 0 read as something else", len(whole), 2*len(whole), same, none)
	if same > 2*len(`"sum": `) {
		t.Errorf("%d flips are not noticed", same)
	}
}
