//go:build linux

package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// remains lists what the engine of a state folder has left in the system:
// mounts, sockets, processes, runc's records, control groups. The ids are those
// of containers that were seen; the token marks what ran in them.
func remains(t *testing.T, state, token string, ids map[string]bool) []string {
	t.Helper()
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, state) {
			found = append(found, "mount: "+line)
		}
	}
	sockets, _ := filepath.Glob(state + "/run/*.sock")
	found = append(found, sockets...)
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		env, _ := os.ReadFile(p + "/environ")
		cmd, _ := os.ReadFile(p + "/cmdline")
		if bytes.Contains(env, []byte("="+state+"\x00")) || bytes.Contains(cmd, []byte(state)) || bytes.Contains(cmd, []byte(token)) {
			found = append(found, fmt.Sprintf("process %s: %q", p, cmd))
		}
	}
	records, _ := filepath.Glob("/run/runc/*/state.json")
	for _, r := range records {
		if data, _ := os.ReadFile(r); bytes.Contains(data, []byte(state)) {
			found = append(found, r)
		}
	}
	for id := range ids {
		for _, pattern := range []string{"/run/runc/", "/sys/fs/cgroup/archbuild-*/buildkit/", "/sys/fs/cgroup/*/archbuild-*/buildkit/"} {
			paths, _ := filepath.Glob(pattern + id)
			found = append(found, paths...)
		}
	}
	bundles, _ := filepath.Glob(state + "/buildkit-*/*/executor/*/config.json")
	temps, _ := filepath.Glob(state + "/run/tmp/*")
	return append(append(found, bundles...), temps...)
}

// noteContainers adds the containers that BuildKit has now.
func noteContainers(state string, ids map[string]bool) {
	bundles, _ := filepath.Glob(state + "/buildkit-*/*/executor/*")
	for _, b := range bundles {
		if info, err := os.Stat(b); err == nil && info.IsDir() {
			ids[filepath.Base(b)] = true
		}
	}
}
