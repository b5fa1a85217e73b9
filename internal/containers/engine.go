package containers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/archbuild/archbuild/platform"
)

// Store is what an engine can keep under one name.
type Store string

// The kinds of stores.
const (
	// OnePlatform keeps an image of one platform, known by the digest of its config.
	OnePlatform Store = "one platform"
	// Indexes keeps an index and all below it, known by the digest of the index.
	Indexes Store = "indexes"
	// Lists keeps images, known by the digests of their configs, and lists of them.
	Lists Store = "lists"
)

// Engine is an engine that answers.
type Engine struct {
	// Name is Docker or Podman, Version what it says of itself: 20.10.24.
	Name, Version string
	// Address is where it listens; empty for the podman command.
	Address string
	// Platform that it runs without emulation.
	Platform platform.Platform
	Store    Store
	// NoZstd: it cannot read layers that are compressed so.
	NoZstd bool

	load func(context.Context, Image, func(string)) error
}

// String names the engine for people: Docker 20.10.24.
func (e *Engine) String() string { return e.Name + " " + e.Version }

// Holds tells whether images of several platforms can stand under one name.
func (e *Engine) Holds() bool { return e.Store != OnePlatform }

// Image is what is loaded.
type Image struct {
	// Names it gets, [REGISTRY/]REPOSITORY:TAG. Without any it is known by its ID alone.
	Names []string
	// Parts are one for Docker. Podman takes one for each platform.
	Parts []Part
}

// Part is an archive on its way.
type Part struct {
	// ID is the digest that the store is to know it by.
	ID string
	// Write writes the archive: `docker save`'s for OnePlatform, an OCI layout with the
	// names for Indexes, an OCI layout with one nameless image for Lists.
	Write func(context.Context, io.Writer) error
}

// Load brings an image into the store and sees to it that it is there. What the
// engine reports on the way is given to progress, a line at a time: text of the
// engine, to be cleaned before it is shown. An engine that refuses is a *LoadError.
func (e *Engine) Load(ctx context.Context, image Image, progress func(string)) error {
	return e.load(ctx, image, progress)
}

// stream gives read what write writes, and ends write when read has had enough.
// Of two failures it tells the one that caused the other.
func stream(ctx context.Context, write func(context.Context, io.Writer) error, read func(context.Context, io.Reader) error) error {
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, to)
		to.CloseWithError(err)
		written <- err
	}()
	err := read(ctx, from)
	from.CloseWithError(errEnough)
	wrote := <-written
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case wrote != nil && !errors.Is(wrote, errEnough):
		return fmt.Errorf("writing the archive: %w", wrote)
	}
	return err
}

// errEnough is what a writer sees whose reader has gone.
var errEnough = errors.New("the engine reads no further")
