package treesum

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	dir := os.Getenv("TRY")
	for range 5 {
		began := time.Now()
		l, err := Tree{Folder: dir, Memory: "/tmp/resumetry/mem"}.List(t.Context())
		fmt.Println(len(l.Entries), l.Digest, err, time.Since(began))
	}
}
