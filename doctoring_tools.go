package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/wrong"
)

// lookAtTools asks the container tools of this machine. A build needs none of them.
func (x *examination) lookAtTools(ctx context.Context) []doctor.Check {
	late := []containers.Endpoint{{Tool: "container tools", Err: context.DeadlineExceeded}}
	found := finish(ctx, late, func(ctx context.Context) []containers.Endpoint {
		return containers.Look(ctx, containers.Options{Environ: x.Environ})
	})
	var checks []doctor.Check
	var absent []string
	for _, e := range found {
		if e.Absent {
			absent = append(absent, e.Tool)
			continue
		}
		checks = append(checks, ofTool(e))
	}
	checks = append(checks, x.lookAtBuildKit(ctx)...)
	if len(absent) > 0 {
		text := "no " + strings.Join(absent, ", no ")
		checks = append(checks, doctor.Check{
			ID: "tools-absent", Group: doctor.Tools, Status: doctor.OK, Brief: text, Detail: text + " here; builds need none, --load needs Docker or Podman",
		})
	}
	return checks
}

func ofTool(e containers.Endpoint) doctor.Check {
	c := doctor.Check{ID: "tools-" + strings.ToLower(e.Tool), Group: doctor.Tools, Status: doctor.OK, Detail: e.Tool}
	if e.Version != "" {
		c.Detail += " " + e.Version
	}
	c.Brief = c.Detail
	if e.Address != "" {
		c.Detail += " at " + e.Address
	}
	if e.Err != nil {
		c.Status, c.Detail, c.Fix = doctor.Degraded, e.Err.Error(), wrong.Hint(e.Err)
		c.Affects = "--load and -o type=docker"
		if late := new(noAnswerError); errors.As(e.Err, &late) {
			c.Detail, c.Fix = fmt.Sprintf("%s at %s: %v", e.Tool, e.Address, late), "see whether `docker info` works"
		}
		if e.Tool == "containerd" {
			c.Detail, c.Affects = fmt.Sprintf("%s at %s: %v", e.Tool, e.Address, e.Err), "tools that talk to containerd; no build of archbuild's"
			c.Fix = "see whether it runs: systemctl status containerd"
			if os.IsPermission(e.Err) {
				c.Status, c.Affects, c.Fix = doctor.OK, "", ""
				c.Detail = fmt.Sprintf("%s listens at %s, for root alone", e.Tool, e.Address)
				c.Brief = e.Tool
			}
		}
	}
	return c
}

// lookAtBuildKit finds servers that listen where they usually do. Builds use them only
// when they are named.
func (x *examination) lookAtBuildKit(ctx context.Context) []doctor.Check {
	sockets := []string{"/run/buildkit/buildkitd.sock"}
	if dir := x.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "buildkit", "buildkitd.sock"))
	}
	var checks []doctor.Check
	for _, socket := range sockets {
		if _, err := os.Stat(socket); err != nil {
			continue
		}
		c := doctor.Check{ID: "tools-buildkit", Group: doctor.Tools, Subject: socket, Status: doctor.OK}
		node, err := builder.Dial(ctx, "unix://"+socket)
		if err != nil {
			c.Detail = "a BuildKit listened there once, or for root alone: " + firstLine(err)
		} else {
			node.Client.Close()
			c.Brief = "BuildKit " + node.Version
			c.Detail = fmt.Sprintf("BuildKit %s; --node unix://%s builds there", node.Version, socket)
		}
		checks = append(checks, c)
	}
	return checks
}
