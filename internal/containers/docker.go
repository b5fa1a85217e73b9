package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/platform"
)

const (
	dockerName = "Docker"
	podmanName = "Podman"
)

// docker is an engine behind Docker's API. Podman has that API too, and with it
// the manners of Docker's classic store.
type docker struct {
	client *client
	engine string
	// indexes: its store is of that kind.
	indexes bool
}

// info is the part of GET /info that matters.
type info struct {
	ServerVersion, OSType, Architecture string
	DriverStatus                        [][]string
}

// askDocker finds out what listens there.
func askDocker(ctx context.Context, at endpoint) (*Engine, error) {
	c, err := newClient(at)
	if err != nil {
		return nil, err
	}
	var facts info
	header, err := c.get(ctx, "/info", &facts)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &UnreachableError{Engine: dockerName, Address: at.address, From: at.from, Err: err}
	}
	e := &Engine{Name: dockerName, Version: facts.ServerVersion, Address: at.address, Platform: facts.platform(), Store: OnePlatform}
	if strings.HasPrefix(header.Get("Server"), "Libpod/") {
		e.Name = podmanName
	}
	if facts.containerd() {
		e.Store = Indexes
	}
	major, _, _ := strings.Cut(facts.ServerVersion, ".")
	if n, err := strconv.Atoi(major); err == nil && e.Name == dockerName && e.Store == OnePlatform {
		e.NoZstd = n < 23
	}
	e.load = docker{c, e.String(), e.Store == Indexes}.load
	return e, nil
}

// containerd tells the containerd image store from Docker's classic one.
func (i info) containerd() bool {
	return slices.ContainsFunc(i.DriverStatus, func(row []string) bool {
		return slices.Equal(row, []string{"driver-type", "io.containerd.snapshotter.v1"})
	})
}

// platform reads the architecture, which is what `uname -m` prints there.
func (i info) platform() platform.Platform {
	for _, p := range platform.All() {
		if p.OS == i.OSType && p.Names().Uname == i.Architecture {
			return p
		}
	}
	p, err := platform.Parse(i.OSType + "/" + i.Architecture)
	if err != nil {
		return platform.Platform{OS: i.OSType, Arch: i.Architecture}
	}
	return p
}

// load sends the archive and reads what becomes of it.
func (d docker) load(ctx context.Context, image Image, progress func(string)) error {
	if len(image.Parts) != 1 {
		return fmt.Errorf("loading into %s: %d archives, not one", d.engine, len(image.Parts))
	}
	part := image.Parts[0]
	if d.knows(ctx, part.ID) {
		progress("It has the image already")
		return d.failed(ctx, d.tag(ctx, image.Names, part.ID))
	}
	err := stream(ctx, part.Write, func(ctx context.Context, archive io.Reader) error {
		resp, err := d.client.do(ctx, http.MethodPost, "/images/load?quiet=0", archive)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return follow(resp.Body, progress)
	})
	if err == nil {
		err = d.find(ctx, image.Names, part.ID)
	}
	return d.failed(ctx, err)
}

func (d docker) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &LoadError{d.engine, err.Error(), err}
}

// knows tells whether nothing need be sent. An index may be there without all that
// it lists, so it is sent again.
func (d docker) knows(ctx context.Context, id string) bool {
	return !d.indexes && d.find(ctx, nil, id) == nil
}

// tag lets names stand for an image that is there.
func (d docker) tag(ctx context.Context, names []string, id string) error {
	for _, name := range names {
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return err
		}
		query := url.Values{"repo": {named.Name()}}
		if tagged, ok := named.(reference.Tagged); ok {
			query.Set("tag", tagged.Tag())
		}
		resp, err := d.client.do(ctx, http.MethodPost, "/images/"+id+"/tag?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	return d.find(ctx, names, id)
}

// message is one of the JSON documents that the engine answers with. Layers are
// told of many times, with bytes done.
type message struct {
	Stream, Status, ID, Error string
}

// follow reads the messages to the end. The first error among them is the result.
func follow(answer io.Reader, progress func(string)) error {
	told := map[string]bool{}
	messages := json.NewDecoder(answer)
	for {
		var m message
		err := messages.Decode(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the engine's answer: %w", err)
		}
		text := strings.TrimSpace(m.Status + m.Stream)
		if m.ID != "" {
			text += " " + m.ID
		}
		switch {
		case m.Error != "":
			return errors.New(m.Error)
		case text != "" && !told[text]:
			told[text] = true
			progress(text)
		}
	}
}

// find sees to it that the names stand for the image now.
func (d docker) find(ctx context.Context, names []string, id string) error {
	if len(names) == 0 {
		names = []string{id}
	}
	for _, name := range names {
		var there struct{ ID string }
		if _, err := d.client.get(ctx, "/images/"+name+"/json", &there); err != nil {
			return fmt.Errorf("it took the archive, but has no %s: %w", name, err)
		}
		if there.ID != id && "sha256:"+there.ID != id {
			return fmt.Errorf("%s is %s there, not %s", name, there.ID, id)
		}
	}
	return nil
}
