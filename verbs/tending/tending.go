// Package tending is the verb engine: whether the private BuildKit server runs, its end, its log, what it and
// archbuild keep on disk, and what of that may go.
package tending

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

// Status tells of the private engine.
func Status(ctx context.Context, w outside.World) (engine.State, error) {
	options, err := w.EngineOptions()
	if err != nil {
		return engine.State{}, err
	}
	return engine.Status(ctx, options)
}

// Stop ends it; the caches stay. None running is no error.
func Stop(ctx context.Context, w outside.World) error {
	options, err := w.EngineOptions()
	if err != nil {
		return err
	}
	return engine.Stop(ctx, options)
}

// WriteStatus prints the engine's state.
func WriteStatus(w io.Writer, s engine.State) error {
	if !s.Running {
		_, err := fmt.Fprintf(w, "not running; the next build starts it (BuildKit %s)\ncaches in %s\n", s.BuildKit, s.Root)
		return err
	}
	runc, memory := s.Runc, "no limit"
	if runc == "" {
		runc = "none"
	}
	if s.Memory > 0 {
		memory = engine.IEC(s.Memory) + " for the engine and its steps"
	}
	if s.MemoryNote != "" {
		memory += " (" + ui.Line(s.MemoryNote) + ")"
	}
	_, err := fmt.Fprintf(w, "running: BuildKit %s, started by archbuild %s, pid %d, %d other connections, ends after %s without a client\nsocket %s\ncaches in %s\nlog %s\nrunc %s\nmemory %s\n",
		s.BuildKit, ui.Line(cmp.Or(s.Version, "of unknown version")), s.PID, s.Connections, s.Idle, s.Socket, s.Root, s.Log, runc, memory)
	if err == nil && s.Rootless {
		_, err = fmt.Fprintf(w, "rootless, %s\n", emulatorsLine(s.Emulators))
	}
	return err
}

// emulatorsLine says which emulators a plain user's engine has, by their programs.
func emulatorsLine(own []string) string {
	if len(own) == 0 {
		return "with the emulators of the machine"
	}
	var programs []string
	for _, e := range own {
		_, path, _ := strings.Cut(e, "=")
		programs = append(programs, filepath.Base(path))
	}
	return "with emulators of its own: " + ui.Line(strings.Join(programs, ", "))
}
