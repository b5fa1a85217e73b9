package archbuild

import (
	"context"
	"fmt"
	"io"

	"github.com/archbuild/archbuild/builder/engine"
)

// EngineStatus tells of the private engine.
func EngineStatus(ctx context.Context, opts Options) (engine.State, error) {
	options, err := opts.engineOptions()
	if err != nil {
		return engine.State{}, err
	}
	return engine.Status(ctx, options)
}

// EngineStop ends it; the caches stay. None running is no error.
func EngineStop(ctx context.Context, opts Options) error {
	options, err := opts.engineOptions()
	if err != nil {
		return err
	}
	return engine.Stop(ctx, options)
}

// WriteEngine prints the engine's state.
func WriteEngine(w io.Writer, s engine.State) error {
	if !s.Running {
		_, err := fmt.Fprintf(w, "not running; the next build starts it (BuildKit %s)\ncaches in %s\n", s.BuildKit, s.Root)
		return err
	}
	runc := s.Runc
	if runc == "" {
		runc = "none"
	}
	_, err := fmt.Fprintf(w, "running: BuildKit %s, pid %d, %d other connections, ends after %s without a client\nsocket %s\ncaches in %s\nlog %s\nrunc %s\n",
		s.BuildKit, s.PID, s.Connections, s.Idle, s.Socket, s.Root, s.Log, runc)
	return err
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
