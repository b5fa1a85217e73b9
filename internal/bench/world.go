package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/archbuild/archbuild/internal/fixtures"
)

const smallDockerfile = `FROM debian:bookworm-slim AS build
WORKDIR /src
COPY . .
RUN mkdir -p /out && cp /bin/true /out/true && cat files/* > /out/data

FROM scratch
COPY --from=build /out /
CMD ["/true"]
`

const manyDockerfile = `FROM scratch
COPY files /files
`

// world is a hub, an engine and a folder, all of this run alone.
type world struct {
	archbuild, buildx, buildctl string
	dir                         string
	env                         []string
	hub                         *fixtures.Hub
	// address of the engine, as BuildKit's tools take it.
	address string
}

// newWorld takes the hub over.
func newWorld(ctx context.Context, hub *fixtures.Hub, archbuild, buildx, buildctl string) (*world, error) {
	dir, err := os.MkdirTemp("", "archbuild-bench-")
	if err != nil {
		return nil, errors.Join(err, hub.Close())
	}
	w := &world{archbuild: archbuild, buildx: buildx, buildctl: buildctl, dir: dir, hub: hub}
	w.env = append(os.Environ(), "XDG_CONFIG_HOME="+hub.ConfigHome, "ARCHBUILD_STATE="+filepath.Join(dir, "state"), "BUILDX_CONFIG="+filepath.Join(dir, "buildx"))
	if err := w.startEngine(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// startEngine builds something small, and tells buildx of the engine's socket.
func (w *world) startEngine(ctx context.Context) error {
	dir, err := w.project("warm", "FROM scratch\nCOPY Dockerfile /\n", 0)
	if err != nil {
		return err
	}
	if _, err := w.output(ctx, w.archbuild, dir, "-o", "type=oci,dest="+filepath.Join(w.dir, "warm.tar"), "--progress", "quiet", "--engine-idle", "30m"); err != nil {
		return err
	}
	status, err := w.output(ctx, w.archbuild, "engine", "status", "--json")
	if err != nil {
		return err
	}
	var engine struct{ Socket string }
	if err := json.Unmarshal(status, &engine); err != nil {
		return err
	}
	w.address = "unix://" + engine.Socket
	_, err = w.output(ctx, w.buildx, "create", "--name", "bench", "--driver", "remote", w.address)
	return err
}

func (w *world) output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = w.env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", filepath.Base(program), args, err)
	}
	return out, nil
}

// project writes a context with a Dockerfile and some files of 1 kB.
func (w *world) project(name, dockerfile string, files int) (string, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return "", err
	}
	for i := range files {
		folder := filepath.Join(dir, "files")
		if files > 1 {
			folder = filepath.Join(folder, fmt.Sprintf("%03d", i/100))
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return "", err
			}
		}
		content := fmt.Appendf(nil, "%01000d\n", i)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("f%05d", i)), content, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (w *world) close() {
	stop := exec.Command(w.archbuild, "engine", "stop")
	stop.Env = w.env
	if err := stop.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: stopping the engine:", err)
	}
	os.RemoveAll(w.dir)
	w.hub.Close()
}
