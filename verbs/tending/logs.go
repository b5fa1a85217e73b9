package tending

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// Logs prints the engine's log to Stdout: the last lines of it, or with
// tail below 0 all. With follow it goes on until the context ends.
func Logs(ctx context.Context, w outside.World, tail int, follow bool) error {
	options, err := w.EngineOptions()
	if err != nil {
		return err
	}
	err = engine.Logs(ctx, options, engine.LogOptions{Tail: tail, Follow: follow}, func(line string) error {
		_, err := fmt.Fprintln(w.Stdout, ui.Line(line))
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = fmt.Fprintln(w.Stderr, "there is no log: the engine has not run with this state folder")
	case errors.Is(err, os.ErrPermission):
		err = &wrong.Read{What: "the engine's log", Err: err}
	}
	return err
}
