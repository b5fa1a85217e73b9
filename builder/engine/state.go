package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// State is what is known of the engine of a state folder.
type State struct {
	Running bool `json:"running"`
	// PID is the engine's process, 0 when none runs.
	PID    int    `json:"pid,omitempty"`
	Socket string `json:"socket"`
	Root   string `json:"root"`
	Log    string `json:"log"`
	// Version is that of the archbuild that started it, Protocol what it speaks
	// with its clients; both empty when none runs.
	Version  string `json:"archbuild,omitempty"`
	Protocol int    `json:"protocol,omitempty"`
	// BuildKit is the version of the server that runs, else of this program.
	BuildKit string `json:"buildkit"`
	// ConfigHash covers buildkitd.toml and the proxies and certificates of the
	// engine's environment.
	ConfigHash string `json:"configHash,omitempty"`
	// Config is the path of the buildkitd.toml it was started with, if any.
	Config string `json:"config,omitempty"`
	// Runc is the runc it runs containers with; empty: none was found.
	Runc string `json:"runc,omitempty"`
	// Since is when it started.
	Since *time.Time `json:"since,omitempty"`
	// Idle is how long it stays without a client, as in "5m0s".
	Idle string `json:"idle,omitempty"`
	// Rootless says that it is root of a user namespace only.
	Rootless bool `json:"rootless,omitempty"`
	// Emulators are those that it has registered in its namespace for itself, each
	// as the name of the entry and the path of the program: qemu-arm=/usr/bin/qemu-arm.
	Emulators []string `json:"emulators,omitempty"`
	// Memory is the most that the engine and its steps may take together, in bytes;
	// 0 is no limit. MemoryNote says why it is not the limit that was asked for last.
	Memory     int64  `json:"memory,omitempty"`
	MemoryNote string `json:"memoryNote,omitempty"`
	// Connections counts the other clients connected.
	Connections int `json:"connections"`
}

// record is engine.json: the state as it was at the start, and what tells this
// process from a later one with the same pid.
type record struct {
	State
	StartTime uint64 `json:"startTime"`
	// Keeper is the pid of a rootless engine's keeper, which lives a little longer.
	Keeper      int    `json:"keeper,omitempty"`
	KeeperStart uint64 `json:"keeperStart,omitempty"`
	// Sum is the sha256 of the file without it.
	Sum string `json:"sum,omitempty"`
}

// sealed is the record as the file has it.
func (r record) sealed() ([]byte, error) {
	r.Sum = ""
	bare, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the engine's record: %w", err)
	}
	r.Sum = fmt.Sprintf("%x", sha256.Sum256(append(bare, '\n')))
	whole, err := json.MarshalIndent(r, "", "  ")
	return append(whole, '\n'), err
}

// readRecord reads engine.json; without one the record is empty.
func (l layout) readRecord() (record, error) {
	var r record
	data, err := os.ReadFile(l.record)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading the engine's record: %w", err)
	}
	// A record that cannot be read is as good as none: the state lock says
	// whether an engine lives.
	if json.Unmarshal(data, &r) != nil {
		return record{}, nil
	}
	// An engine of an older archbuild has written no sum.
	if whole, err := r.sealed(); r.Sum != "" && (err != nil || !bytes.Equal(data, whole)) {
		return record{}, nil
	}
	return r, nil
}

// newRecord is engine.json on its way.
func (l layout) newRecord() string { return l.record + ".new" }

// writeRecord replaces engine.json in one step.
func (l layout) writeRecord(r record) error {
	data, err := r.sealed()
	if err != nil {
		return err
	}
	tmp := l.newRecord()
	os.Remove(tmp) // what a killed engine has left, whatever it is
	err = writeNew(tmp, data)
	if err == nil {
		err = os.Rename(tmp, l.record)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("writing the engine's record: %w", err)
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// liveSocket is where a running engine listens: what it has recorded, since
// another run may have had another XDG_RUNTIME_DIR, else where one would.
func (l layout) liveSocket() string {
	if r, err := l.readRecord(); err == nil && filepath.IsAbs(r.Socket) {
		return r.Socket
	}
	return l.socket
}

// isAlive says whether the recorded process is still that process.
func (r record) isAlive() bool { return isStill(r.PID, r.StartTime) }

func (r record) keeperIsAlive() bool { return isStill(r.Keeper, r.KeeperStart) }

// isStill says whether a pid is still that of the process that started then.
func isStill(pid int, start uint64) bool {
	now, err := startTime(pid)
	return err == nil && pid > 0 && now == start
}
