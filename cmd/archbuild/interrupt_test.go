package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
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

// Of a port that is interrupted while a registry is asked, nothing is known.
func TestPortSaysNothingElseWhenItIsInterrupted(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	file := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte("FROM "+silent.Addr().String()+"/a\nRUN curl -O https://dl.example.com/a-amd64\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"port", file}, {"port", file, "--json"}, {"port", file, "--write"}} {
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, interrupt)
		var stdout, stderr strings.Builder
		code := run(ctx, append(args, "--state", t.TempDir()), strings.NewReader(""), &stdout, &stderr)
		if code != exitFailed || stderr.String() != "archbuild: interrupted\n" || stdout.String() != "" {
			t.Errorf("%s: exit status %d, %q and %q", args, code, stdout.String(), stderr.String())
		}
	}
}
