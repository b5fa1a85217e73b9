package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// containers are the ids of all containers that the engines below a folder have
// run: what they leave in the system bears these names.
type containers struct {
	root string
	mu   sync.Mutex
	// state is the folder of each one's engine, by id.
	state map[string]string
}

// containersKey is where scripts find them.
type containersKey struct{}

// watch notes containers until the test is over.
func watch(t *testing.T, root string) *containers {
	t.Helper()
	c := &containers{root: root, state: map[string]string{}}
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c.note()
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(ended); <-done })
	return c
}

func (c *containers) note() {
	bundles, _ := filepath.Glob(filepath.Join(c.root, "*/buildkit-*/*/executor/*"))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, bundle := range bundles {
		if info, err := os.Stat(bundle); err == nil && info.IsDir() {
			below, _ := filepath.Rel(c.root, bundle)
			name, _, _ := strings.Cut(below, "/")
			c.state[filepath.Base(bundle)] = filepath.Join(c.root, name)
		}
	}
}

// remains lists what the engine of a state folder has left in the system after
// it was stopped: mounts, sockets, processes, containers, control groups,
// temporary files.
func (c *containers) remains(state string) []string {
	found := append(mountsBelow(state), processesOf(state)...)
	for _, pattern := range []string{"/run/*.sock", "/buildkit-*/*/executor/*/config.json", "/run/tmp/*", "/store/ingest/*"} {
		paths, _ := filepath.Glob(state + pattern)
		found = append(found, paths...)
	}
	records, _ := filepath.Glob("/run/runc/*/state.json")
	for _, record := range records {
		if data, err := os.ReadFile(record); err == nil && bytes.Contains(data, []byte(state)) {
			found = append(found, record)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, of := range c.state {
		if of != state {
			continue
		}
		for _, pattern := range []string{"/run/runc/", "/sys/fs/cgroup/archbuild-*/buildkit/", "/sys/fs/cgroup/*/archbuild-*/buildkit/"} {
			paths, _ := filepath.Glob(pattern + id)
			found = append(found, paths...)
		}
	}
	slices.Sort(found)
	return found
}

func mountsBelow(folder string) []string {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[1], folder+"/") {
			found = append(found, "mount "+fields[1])
		}
	}
	return found
}

// processesOf are the engine of a state folder and what it has started.
func processesOf(state string) []string {
	var found []string
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		environ, _ := os.ReadFile(folder + "/environ")
		command, _ := os.ReadFile(folder + "/cmdline")
		marked := bytes.Contains(environ, []byte("ARCHBUILD_ENGINE_STATE="+state+"\x00"))
		started := bytes.Contains(command, []byte("\x00"+state+"\x00"))
		if marked || started {
			found = append(found, fmt.Sprintf("process %s: %q", filepath.Base(folder), command))
		}
	}
	return found
}
