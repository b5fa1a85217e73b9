package containers

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// podman is the podman command of this user.
type podman struct {
	environ []string
	engine  string
}

// askPodman finds out what the podman command works with.
func askPodman(ctx context.Context, environ []string) (*Engine, error) {
	p := podman{environ: environ}
	ctx, cancel := context.WithTimeout(ctx, 2*answering) // It may have to begin its storage.
	defer cancel()
	out, err := p.run(ctx, nil, "info", "--format", "{{.Version.Version}} {{.Host.OS}}/{{.Host.Arch}}")
	if err != nil {
		return nil, &UnreachableError{Engine: podmanName, Err: err}
	}
	version, on, _ := strings.Cut(strings.TrimSpace(out), " ")
	host, err := platform.Parse(on)
	if err != nil {
		return nil, &UnreachableError{Engine: podmanName, Err: err}
	}
	e := &Engine{Name: podmanName, Version: version, Platform: host, Store: Lists}
	p.engine = e.String()
	e.load = p.load
	return e, nil
}

func (p podman) run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	result, err := run.Command(ctx, run.Options{Path: "podman", Args: args, Env: p.environ, Stdin: stdin})
	return string(result.Stdout), err
}

// load brings in one image after the other, then lets the names stand for it, or
// for a list of them.
func (p podman) load(ctx context.Context, image Image, progress func(string)) error {
	var ids []string
	for _, part := range image.Parts {
		began := time.Now()
		if err := p.loadPart(ctx, part); err != nil {
			return p.failed(ctx, err)
		}
		ids = append(ids, part.ID)
		progress(fmt.Sprintf("Loaded image %s (%s)", part.ID, time.Since(began).Round(time.Millisecond)))
	}
	if len(image.Names) == 0 {
		return nil
	}
	return p.failed(ctx, p.name(ctx, image.Names, ids))
}

func (p podman) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &LoadError{p.engine, err.Error(), err}
}

func (p podman) loadPart(ctx context.Context, part Part) error {
	return stream(ctx, part.Write, func(ctx context.Context, archive io.Reader) error {
		out, err := p.run(ctx, archive, "load", "--quiet")
		if err == nil && !strings.Contains(out, strings.TrimPrefix(part.ID, "sha256:")) {
			err = fmt.Errorf("it says %q where the image is %s", strings.TrimSpace(out), part.ID)
		}
		return err
	})
}

// name lets the names stand for the image, or for a new list of several. The list
// is complete before a name moves to it.
func (p podman) name(ctx context.Context, names, ids []string) error {
	if len(ids) == 1 {
		_, err := p.run(ctx, nil, append([]string{"tag", ids[0]}, names...)...)
		return err
	}
	// Whatever an interrupted run has left under this name, it holds the same images.
	list := "localhost/archbuild-loading:" + strings.TrimPrefix(ids[0], "sha256:")
	if _, err := p.run(ctx, nil, "manifest", "create", "--amend", list); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := p.run(ctx, nil, "manifest", "add", list, "containers-storage:"+strings.TrimPrefix(id, "sha256:")); err != nil {
			return err
		}
	}
	if _, err := p.run(ctx, nil, append([]string{"tag", list}, names...)...); err != nil {
		return err
	}
	// This takes the name away: `podman untag` would look among the images of the list.
	_, err := p.run(ctx, nil, "manifest", "rm", list)
	return err
}
