package containers

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Endpoint is a place where a container tool of this machine is spoken to.
type Endpoint struct {
	// Tool is Docker, Podman or containerd.
	Tool string
	// Address that was tried; empty for a command.
	Address string
	// Version that it says it is; empty for what was not asked.
	Version string
	// Absent says that there is none here, which is no error.
	Absent bool
	// Err is why it is there and cannot be used.
	Err error
}

// containerdName is what messages call it.
const containerdName = "containerd"

// containerdSockets are where containerd listens: by itself, and under k3s and MicroK8s.
var containerdSockets = []string{
	"/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock",
}

// Look finds out which container tools there are and whether they answer. It starts
// no engine; podman, which has none, is run and asked for its version. The context bounds it.
func Look(ctx context.Context, o Options) []Endpoint {
	found := make([]Endpoint, 3)
	var all sync.WaitGroup
	all.Go(func() { found[0] = lookDocker(ctx, o) })
	all.Go(func() { found[1] = lookPodman(ctx, o) })
	all.Go(func() { found[2] = lookContainerd(ctx, containerdSockets) })
	all.Wait()
	return found
}

func lookDocker(ctx context.Context, o Options) Endpoint {
	e := Endpoint{Tool: dockerName}
	at, err := o.endpoint()
	if err != nil {
		e.Err = err
		return e
	}
	e.Address = at.address
	engine, err := askDocker(ctx, at)
	if err != nil {
		unreachable := (*UnreachableError)(nil)
		e.Absent = errors.As(err, &unreachable) && at.from == "" && unreachable.absent()
		e.Err = err
		return e
	}
	e.Tool, e.Version = engine.Name, engine.Version
	return e
}

func lookPodman(ctx context.Context, o Options) Endpoint {
	e := Endpoint{Tool: podmanName}
	// `podman info` would make the user's storage, where there is none yet.
	out, err := podman{environ: o.Environ}.run(ctx, nil, "--version")
	if err != nil {
		e.Err, e.Absent = err, errors.Is(err, exec.ErrNotFound)
		return e
	}
	if words := strings.Fields(out); len(words) > 0 {
		e.Version = words[len(words)-1]
	}
	return e
}

// lookContainerd connects and says nothing: its API is no business of ours.
func lookContainerd(ctx context.Context, sockets []string) Endpoint {
	e := Endpoint{Tool: containerdName, Absent: true}
	for _, socket := range sockets {
		if _, err := os.Stat(filepath.Dir(socket)); err != nil && !errors.Is(err, os.ErrPermission) {
			continue
		}
		if _, err := os.Stat(socket); errors.Is(err, os.ErrNotExist) {
			continue
		}
		e.Address, e.Absent = "unix://"+socket, false
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if e.Err = err; err == nil {
			conn.Close()
			return e
		}
	}
	return e
}

// absent: there is not even a socket.
func (e *UnreachableError) absent() bool { return errors.Is(e.Err, os.ErrNotExist) }
