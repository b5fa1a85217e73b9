//go:build linux

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/archbuild/archbuild/detect"
)

// startTimeout is how long a client waits for an engine to be ready: a dying
// predecessor may take some seconds, the sweep after a crash too, and a busy disk
// minutes for the databases. An engine that ends is noticed at once.
const startTimeout = 3 * time.Minute

// readyFD is the descriptor on which the engine says that it is ready, or why not.
const readyFD = 3

// ready is what the engine says on readyFD: one JSON value.
type ready struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Notes are what the user should know of an engine that is ready.
	Notes []string `json:"notes,omitempty"`
}

// spawn starts an engine and waits until it is ready. It stays when ctx ends.
func (l layout) spawn(ctx context.Context, o Options, wanted State) error {
	facts, err := check(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Log, "starting the private engine (BuildKit %s)\n", BuildKit)
	notes, err := l.start(ctx, o, facts, l.childArgs(wanted))
	for _, note := range notes {
		fmt.Fprintf(o.Log, "warning: the private engine: %s\n", note)
	}
	return err
}

// start starts this program anew as an engine, in namespaces where it must be,
// and waits until it is ready. The process is a session of its own, so a ^C in
// the terminal is not for it.
func (l layout) start(ctx context.Context, o Options, facts detect.RootlessFacts, args []string) ([]string, error) {
	logFile, err := os.OpenFile(l.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, l.unusable(fmt.Errorf("opening the engine's log: %w", err))
	}
	defer logFile.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the private engine: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(o.Executable[0], append(o.Executable[1:len(o.Executable):len(o.Executable)], args...)...)
	cmd.Args[0] = "archbuild"
	cmd.Env = append(scrub(o.Environ), "TMPDIR="+l.tmp)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p := ownPower(); p.rootless {
		err = p.startKeeper(ctx, cmd, facts)
	} else {
		err = cmd.Start()
	}
	w.Close()
	if err != nil {
		return nil, &StartError{Reason: err.Error(), Advice: hintOf(err), Log: l.log}
	}
	go func() { _ = cmd.Wait() }() // leaves no zombie in a program that lives longer than the engine
	return l.waitReady(ctx, r)
}

// waitReady reads what the engine says on its ready pipe.
func (l layout) waitReady(ctx context.Context, r *os.File) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		&StartError{Reason: fmt.Sprintf("it is not ready after %s", startTimeout), Log: l.log})
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	var said ready
	err := json.NewDecoder(r).Decode(&said)
	switch {
	case err == nil && said.OK:
		return said.Notes, nil
	case err == nil:
		return nil, &StartError{Reason: said.Error, Advice: said.Hint, Log: l.log}
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return nil, &StartError{Reason: "it ended without a word", Log: l.log}
	}
	return nil, &StartError{Reason: err.Error(), Log: l.log}
}
