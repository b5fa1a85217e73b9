package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/archbuild/archbuild/detect"
)

// DefaultIdle is how long an engine stays without a client unless told otherwise.
const DefaultIdle = 5 * time.Minute

// childArg is the first argument of a program that is to be the engine.
const childArg = "__engine"

// Options says which engine is meant and how to start it.
type Options struct {
	// State is the state folder, an absolute path ([StateDir]). Engines of
	// different state folders share nothing.
	State string
	// RuntimeDir is XDG_RUNTIME_DIR, or "". Used when the path of a socket in
	// the state folder is too long.
	RuntimeDir string
	// Config is the path of a buildkitd.toml, or "".
	Config string
	// Runc is the absolute path of a runc ([FindRunc]), or "": RUN fails then.
	Runc string
	// Idle is how long the engine stays without a client, 5 minutes if 0. The
	// last client to connect decides.
	Idle time.Duration
	// Memory is the most that the engine and the steps it runs may take together,
	// in bytes; 0 leaves an engine that runs as it is, and sets no limit to a new
	// one. See [State].
	Memory int64
	// Executable is the program to start and its first arguments; the program
	// must call [IsChild] and [Main]. Empty: this program.
	Executable []string
	// Environ is the environment to take proxies, certificates and PATH from;
	// nothing else of it reaches the engine. Nil: an empty one but for PATH.
	Environ []string
	// AsIs takes an engine that runs as it is, whatever it was started with, and
	// leaves its idle time and its memory: for looking at it and pruning it.
	AsIs bool
	// Patience is how long to wait for the builds of other runs on an engine that
	// does not fit, an hour if 0, and for one that does not answer, up to half a
	// minute. Below 0 there is no waiting.
	Patience time.Duration
	// Stop is the command that ends this engine, for hints; empty where a plain
	// "archbuild engine stop" does.
	Stop string
	// Version is that of the calling program, for [State].
	Version string
	// Log receives a line when an engine is started, replaced or waited for; may
	// be nil.
	Log io.Writer
}

func (o Options) withDefaults() Options {
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Environ == nil {
		o.Environ = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if len(o.Executable) == 0 {
		// Not the path: after an upgrade that is another program.
		o.Executable = []string{"/proc/self/exe", childArg}
	}
	return o
}

func (o Options) stopCommand() string { return cmp.Or(o.Stop, "archbuild engine stop") }

// Handle is a connection to a running engine. While it is open the engine does
// not end by itself. Close it.
type Handle struct {
	// Client is connected. It is closed by Close.
	Client *client.Client
	// State is the engine's state when the handle was made.
	State State
	// Started says that this call started the engine.
	Started bool

	stop string
}

// Version is the engine's BuildKit version.
func (h *Handle) Version() string { return h.State.BuildKit }

// Address is the engine's address in the form that BuildKit's tools take.
func (h *Handle) Address() string { return "unix://" + h.State.Socket }

// Close ends the connection; the engine goes on.
func (h *Handle) Close() error { return h.Client.Close() }

// Ensure connects to the engine of a state folder and starts one if there is
// none. One that runs with another BuildKit version, protocol, configuration or
// runc is replaced as soon as nobody uses it; when Patience is over the error is
// a *BusyError. One that does not answer is waited for as well, and never
// doubled: the error is a *HungError. Any number of processes may call Ensure at
// once: one engine is started.
//
// The engine of a plain user is root in a user namespace of its own; what that
// takes and is not there, a *RootlessError tells.
//
// Other errors to expect: *CapabilityError, *ConfigError, *StartError,
// *ForeignDirError, *StateError. Every one has a hint.
func Ensure(ctx context.Context, o Options) (*Handle, error) {
	o = o.withDefaults()
	l, err := newLayout(o)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedState(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := l.make(); err != nil {
		return nil, err
	}
	for wait := newWaiting(o); ; {
		h, err := l.attempt(ctx, wait, wanted)
		if err == nil {
			o.sayMemory(h.State)
			return h, nil
		}
		// The gate is free meanwhile: others come and go, also to stop the engine.
		if err := wait.on(ctx, err); err != nil {
			return nil, err
		}
	}
}

// sayMemory says why the limit in force is not the one that was asked for.
func (o Options) sayMemory(s State) {
	switch {
	case o.Memory == 0 || s.Memory == o.Memory && s.MemoryNote == "":
	case s.Memory == 0:
		fmt.Fprintf(o.Log, "the engine has no memory limit: %s\n", s.MemoryNote)
	default:
		fmt.Fprintf(o.Log, "the engine has a memory limit of %s: %s\n", IEC(s.Memory), s.MemoryNote)
	}
}

// attempt is one look for the engine, under the gate.
func (l layout) attempt(ctx context.Context, wait *waiting, wanted State) (*Handle, error) {
	gate, err := wait.gate(ctx, l)
	if err != nil {
		return nil, l.unusable(err)
	}
	defer gate.Close()
	if err := l.stopped(); err != nil {
		return nil, err
	}
	return l.ensure(ctx, wait, wanted)
}

// wantedState is the part of the state that must fit.
func wantedState(ctx context.Context, o Options) (State, error) {
	_, data, err := readConfig(o.Config)
	if err != nil {
		return State{}, err
	}
	s := State{Protocol: protocol, Version: o.Version, BuildKit: BuildKit, Runc: o.Runc, ConfigHash: configHash(data, o.Environ), Idle: o.Idle.String(), Memory: o.Memory}
	if ownPower().rootless {
		for _, r := range detect.PrivateEmulators(ctx, detect.Options{Rootless: true}) {
			s.Emulators = append(s.Emulators, r.Name+"="+r.Interpreter)
		}
	}
	if o.Config != "" {
		if s.Config, err = filepath.Abs(o.Config); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// ensure does the work under the gate. Further rounds are for engines that end
// between two looks (killed, or started by a run that had other settings).
func (l layout) ensure(ctx context.Context, wait *waiting, wanted State) (*Handle, error) {
	o, started := wait.options, false
	for round := 0; ; round++ {
		h, err := l.connect(ctx, wait, wanted)
		if err == nil {
			h.Started = started
			return h, nil
		}
		if !errors.Is(err, errNotRunning) {
			return nil, err
		}
		if round == 3 {
			return nil, &StartError{Reason: "the engine ends as soon as it has started", Log: l.log}
		}
		if err := l.spawn(ctx, o, wanted); err != nil {
			return nil, err
		}
		started = true
	}
}

// connect gives a handle on a fitting engine. It ends one that does not fit, if
// nobody uses it, and then says errNotRunning.
func (l layout) connect(ctx context.Context, wait *waiting, wanted State) (*Handle, error) {
	c, err := dial(ctx, l.liveSocket())
	if err != nil {
		return nil, err
	}
	s, err := wait.options.greet(ctx, c, wanted)
	if err != nil {
		c.Close()
		return nil, l.explain(ctx, err)
	}
	differs := mismatch(s, wanted)
	if len(differs) == 0 || wait.options.AsIs {
		return &Handle{Client: c, State: s, stop: l.stop}, nil
	}
	defer c.Close()
	s, err = retireUnused(ctx, c, wait.leave())
	if err != nil {
		return nil, l.explain(ctx, err)
	}
	if s.Running {
		return nil, &BusyError{Differs: differs, Connections: s.Connections, PID: s.PID, Stop: l.stop}
	}
	fmt.Fprintf(wait.options.Log, "replacing the private engine: it has another %s\n", differs[0])
	return nil, errNotRunning
}

// greet asks an engine for its state and says what this run wants of it. An
// engine at work answers at once; one that does not is waited for outside the gate.
// Who takes it as it is wants nothing of it.
func (o Options) greet(ctx context.Context, c *client.Client, wanted State) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	if o.AsIs {
		return ask(ctx, c)
	}
	words := []string{keyIdle, wanted.Idle}
	if wanted.Memory > 0 {
		words = append(words, keyMemory, strconv.FormatInt(wanted.Memory, 10))
	}
	return ask(ctx, c, words...)
}

// leaveTime is how long an engine may take to notice that a client has left.
const leaveTime = 500 * time.Millisecond

// retireUnused ends an engine if nobody else is connected, now or in a moment:
// the run before this one may have ended just now.
func retireUnused(ctx context.Context, c *client.Client, leave time.Duration) (State, error) {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		s, err := ask(ctx, c, keyRetire, retireAlone)
		if err != nil || !s.Running || time.Since(began) >= leave {
			return s, err
		}
	}
}

// mismatch names what an engine has otherwise than wanted. An engine with a runc
// also serves a run that found none.
func mismatch(have, want State) []string {
	var differs []string
	if have.Protocol != want.Protocol {
		differs = append(differs, "archbuild version")
	}
	if have.BuildKit != want.BuildKit {
		differs = append(differs, "BuildKit version")
	}
	if have.ConfigHash != want.ConfigHash {
		differs = append(differs, "configuration")
	}
	if want.Runc != "" && have.Runc != want.Runc {
		differs = append(differs, "runc")
	}
	if !slices.Equal(have.Emulators, want.Emulators) {
		differs = append(differs, "set of emulators")
	}
	return differs
}

// explain turns a failed Info into what it means: the caller has given up, the
// engine does not answer, or (a broken connection) it has just died.
func (l layout) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch grpcerrors.Code(err) {
	case codes.Unavailable, codes.Canceled:
		return errNotRunning
	case codes.DeadlineExceeded:
		r, _ := l.readRecord()
		return &HungError{PID: r.PID, Stopped: isStopped(r.PID), Stop: l.stop, Err: err}
	}
	return fmt.Errorf("greeting the engine: %w", err)
}
