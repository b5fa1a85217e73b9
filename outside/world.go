// Package outside is the world outside of a run, as every verb meets it: the streams and the environment of
// the process, the private engine and its state folder, and the registries. All of it is passed in, so that
// tests have a world of their own.
package outside

import (
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/wrong"
)

// World is all of it.
type World struct {
	System
	Engine
	Registries
	// Progress is --progress: auto, tty, plain, rawjson, quiet; empty is auto.
	Progress string
	// StdoutUse names the flag by which the caller itself writes to Stdout, so that
	// no output may go there: "--json". Empty means that Stdout is free.
	StdoutUse string
}

// Client reaches registries the way the engine does: by the tables of
// the same buildkitd.toml. A dry run leaves no answers behind. The mirrors are those of each registry.
func (w World) Client(dry bool) (*registry.Client, map[string][]string, error) {
	path, err := w.EngineConfig()
	if err != nil {
		return nil, nil, err
	}
	config, err := engine.LoadConfig(path)
	if err != nil {
		return nil, nil, err
	}
	mirrors := map[string][]string{}
	for host, table := range config.Registries {
		mirrors[host] = table.Mirrors
	}
	cache := string(w.Kept().Answers)
	if dry { // which leaves nothing behind
		cache = ""
	}
	keys, err := w.keychain()
	if err != nil {
		return nil, nil, err
	}
	if log := w.EngineLog(); log != nil {
		for _, warning := range engine.ConfigWarnings(path) {
			fmt.Fprintf(log, "archbuild: warning: %s\n", ui.Line(warning))
		}
	}
	return registry.New(registry.Options{
		Hosts: registry.FromBuildkitd(config.Registries), Else: w.otherHosts(), CacheDir: cache, UserAgent: "archbuild/" + w.Version,
		Keychain: keys, Concurrency: w.Concurrency, Rate: w.Rate, Backoff: w.Backoff, Dial: w.Dial,
	}), mirrors, nil
}

// Kept is what this user's state folder keeps between runs.
func (w World) Kept() keep.Store { return keep.In(w.StateDir()) }

// Mistyped makes wrong usage of paths that do not exist, where the command line
// names them.
func Mistyped(err error) error {
	joined, several := err.(interface{ Unwrap() []error })
	switch {
	case several:
		var each []error
		for _, e := range joined.Unwrap() {
			each = append(each, Mistyped(e))
		}
		return errors.Join(each...)
	case errors.As(err, new(*ocistore.NoFileError)):
		return wrong.AsUsage(err)
	}
	// A name that is none was refused before any registry was asked.
	if named := new(registry.Error); errors.As(err, &named) && named.Kind == registry.Invalid && named.Host == "" {
		return wrong.AsUsage(err)
	}
	return err
}

// ProgressMode is --progress, else BUILDKIT_PROGRESS, as in buildx: there "none"
// shows no progress, and "quiet" is --quiet. Without either it is plain in a CI.
func (w World) ProgressMode() string {
	mode := w.Progress
	if w.ProgressFrom() == ProgressVariable {
		mode = w.Getenv(ProgressVariable)
	}
	switch mode {
	case "", "auto":
		if w.InCI() {
			return "plain"
		}
		return "auto"
	case "none":
		return "quiet"
	}
	return mode
}

// ProgressVariable names a mode in the environment.
const ProgressVariable = "BUILDKIT_PROGRESS"

// ProgressFrom is what says how progress is shown.
func (w World) ProgressFrom() string {
	if (w.Progress == "" || w.Progress == "auto") && w.Getenv(ProgressVariable) != "" {
		return ProgressVariable
	}
	return "--progress"
}

// RawProgress says that standard error is a JSON document in each line and nothing
// else, as long as nothing fails.
func (w World) RawProgress() bool { return w.ProgressMode() == "rawjson" }
