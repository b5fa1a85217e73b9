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
	typed, keyboard := io.Pipe()
	defer keyboard.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, interrupt)
	ended := make(chan int, 1)
	var stderr strings.Builder
	go func() {
		ended <- run(ctx, []string{"rewrite", "-", "--offline", "--state", t.TempDir()}, typed, io.Discard, &stderr)
	}()
	select {
	case code := <-ended:
		if code != exitFailed || stderr.String() != "archbuild: interrupted\n" {
			t.Errorf("exit status %d, and %q", code, stderr.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting for standard input")
	}
}
