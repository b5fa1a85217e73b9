package containers

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Endpoint is a place where a container tool of this machine is spoken to.
type Endpoint struct {
	// Tool is Docker, Podman or containerd.
	Tool string
	// Address that was tried; the path of a command.
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
// nothing. The context bounds it.
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

// lookPodman asks its service, if that runs. Without one there is but the command, which
// would make folders of the user's if it were run.
func lookPodman(ctx context.Context, o Options) Endpoint {
	e := Endpoint{Tool: podmanName}
	sockets := []string{"/run/podman/podman.sock"}
	if dir := o.getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append([]string{filepath.Join(dir, "podman", "podman.sock")}, sockets...)
	}
	for _, socket := range sockets {
		if engine, err := askDocker(ctx, endpoint{address: "unix://" + socket}); err == nil {
			e.Address, e.Version = "unix://"+socket, engine.Version
			return e
		}
	}
	path, err := exec.LookPath("podman")
	e.Address, e.Absent = path, err != nil
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
