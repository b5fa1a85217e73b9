package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// Somebody who types a Dockerfile and thinks better of it.
func TestStandardInputIsNotWaitedForAfterAnInterrupt(t *testing.T) {
	for _, args := range [][]string{{"rewrite", "-", "--offline"}, {"build", "-"}, {"plan", ".", "-f", "-"}} {
		typed, keyboard := io.Pipe()
		defer keyboard.Close()
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, interrupt)
		ended := make(chan int, 1)
		var stderr strings.Builder
		go func() {
			ended <- run(ctx, append(args, "--state", t.TempDir()), typed, io.Discard, &stderr)
		}()
		select {
		case code := <-ended:
			if code != exitFailed || stderr.String() != "archbuild: interrupted\n" {
				t.Errorf("%s: exit status %d, and %q", args, code, stderr.String())
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: still waiting for standard input", args)
		}
	}
}
