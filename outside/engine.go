package outside

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/wrong"
)

// Engine is what a user can say of the private BuildKit server.
type Engine struct {
	// State is the folder for the engine and all that archbuild remembers.
	State string
	// Config is a buildkitd.toml.
	Config string
	Runc   string
	// Memory is the most that the engine and its steps may take together, with a
	// unit; empty leaves a running engine as it is.
	Memory string
	// Idle is how long the engine outlives its last client; 0 means five minutes.
	Idle time.Duration
}

// EngineOptions says which engine is this user's. A runc that is not there is
// no error yet: a build without RUN needs none.
func (w World) EngineOptions() (engine.Options, error) {
	runc, err := engine.FindRunc(w.Runc)
	if err != nil && w.Runc != "" {
		return engine.Options{}, err
	}
	config, err := w.EngineConfig()
	if err != nil {
		return engine.Options{}, err
	}
	memory, err := w.engineMemory()
	if err != nil {
		return engine.Options{}, err
	}
	return engine.Options{
		State: w.StateDir(), RuntimeDir: w.Getenv("XDG_RUNTIME_DIR"), Config: config, Runc: runc,
		Idle: w.Idle, Executable: w.Executable, Environ: w.Environ, Log: w.EngineLog(), Memory: memory, Version: w.Version,
		Stop: w.EngineCommand("stop"),
	}, nil
}

// engineMemory reads --engine-memory; 0 is none.
func (w World) engineMemory() (int64, error) {
	if w.Memory == "" {
		return 0, nil
	}
	limit, err := engine.ParseMemory(w.Memory)
	if err != nil {
		return 0, &wrong.Usage{fmt.Errorf("--engine-memory: %w", err), "give an amount with a unit: 2GB, 512MB"}
	}
	return limit, nil
}

// EngineLog is where the engine's start is told: nowhere under --quiet, and not
// between the lines of JSON.
func (w World) EngineLog() io.Writer {
	if w.Stderr == nil || w.StdoutUse == "--quiet" || w.ProgressMode() == "rawjson" {
		return io.Discard
	}
	return w.Stderr
}

// EngineCommand is what a user types for this engine, and not for the one without --state.
func (w World) EngineCommand(verb string) string {
	command := "archbuild engine " + verb
	if w.State == "" {
		return command
	}
	folder := w.State
	if strings.Trim(folder, "/._-+=:@%,0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		folder = "'" + strings.ReplaceAll(folder, "'", `'\''`) + "'"
	}
	return command + " --state " + folder
}

// StateDir is the folder for the engine and all that archbuild remembers.
func (w World) StateDir() string {
	return engine.StateDir(w.State, w.Getenv, os.Getuid())
}

// EngineConfig is the buildkitd.toml in force, or empty.
func (w World) EngineConfig() (string, error) {
	if w.Engine.Config != "" {
		if _, err := os.Stat(w.Engine.Config); err != nil {
			return "", &wrong.Usage{fmt.Errorf("--engine-config: %w", err), "give the path of a buildkitd.toml"}
		}
		return filepath.Abs(w.Engine.Config)
	}
	user := nodes.UserFile(w.Getenv)
	if user == "" {
		return "", nil
	}
	path := filepath.Join(filepath.Dir(user), "buildkitd.toml")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", &wrong.Read{What: "the engine's configuration", Err: err}
	}
	return path, nil
}
