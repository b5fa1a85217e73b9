//go:build linux

// Command tool is the only program of the image that the builds of these tests start from.
//
//	tool copy FROM TO         a step that comes from the cache
//	tool work LANE FROM TO    a step that runs in every build
//
// Work uses a secret, an agent and a cache mount, and fails where one of them is not as it should be. LANE tells the processes of one
// engine's containers from those of another's. What it writes depends on the file and the architecture alone.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	err := errors.New("usage: tool copy FROM TO, tool work LANE FROM TO")
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "copy":
		err = copyFile(args[1], args[2])
	case len(args) == 4 && args[0] == "work":
		err = work(args[2], args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(strings.TrimSpace(string(content))+" "+runtime.GOARCH+"\n"), 0o644)
}

func work(from, to string) error {
	if secret, err := os.ReadFile("/run/secrets/key"); err != nil || len(secret) == 0 {
		return fmt.Errorf("the secret is missing: %w", err)
	}
	if err := askAgent(os.Getenv("SSH_AUTH_SOCK")); err != nil {
		return fmt.Errorf("asking the agent: %w", err)
	}
	if err := remember("/cache/lines"); err != nil {
		return err
	}
	// Long enough to be killed in.
	time.Sleep(20 * time.Millisecond)
	return copyFile(from, to)
}

// line is what each build adds to the cache mount.
const line = "one build\n"

// remember adds a line to a file of the cache mount, which holds nothing else.
func remember(name string) error {
	before, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if string(before) != strings.Repeat(line, len(before)/len(line)) {
		return fmt.Errorf("the cache mount holds %q", before)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}

// askAgent asks an agent for its keys, by system calls alone: package net takes long to compile for another architecture.
func askAgent(socket string) error {
	const keysWanted, keysAnswer = 11, 12
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return err
	}
	if _, err := syscall.Write(fd, []byte{0, 0, 0, 1, keysWanted}); err != nil {
		return err
	}
	answer := make([]byte, 5)
	for got := 0; got < len(answer); {
		n, err := syscall.Read(fd, answer[got:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return fmt.Errorf("it answers % x and no more (%w)", answer[:got], err)
		}
		got += n
	}
	if answer[4] != keysAnswer {
		return fmt.Errorf("it answers % x", answer)
	}
	return nil
}
