// Package placing is the verb place: where the images of services can run, and what their scheduler has to be
// told. Packages placement and placement/files decide; here files, registries and the overlay meet.
package placing

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/placement"
	placefiles "github.com/archbuild/archbuild/placement/files"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// stdin is how standard input is named.
const stdin = "-"

// Options are what a user can say.
type Options struct {
	outside.World
	// Paths are files and references; - is standard input.
	Paths []string
	// VerifyAllow are globs of files that Audit passes over.
	VerifyAllow []string
	// EnvFiles are read for the variables of a compose file, instead of the .env beside it.
	EnvFiles []string
	// Nodes are platforms, comma-separated, a file with what docker or kubectl say of nodes, or - for the
	// same on standard input. Empty is a cluster of which nothing is known.
	Nodes string
	// For is swarm, cattle or kubernetes; empty follows the files.
	For string
	// Overlay is the file to be written, - for standard output; empty is the usual name where For is given, else none.
	Overlay string
	// Force writes over a file that is no overlay.
	Force bool
	// Pin writes digests of images into the overlay.
	Pin bool
	// Audit looks into all images whether their programs are what the labels say.
	Audit bool
	// MinMemory are SERVICE=SIZE.
	MinMemory []string
}

// Placed is what Services found, as data.
type Placed struct {
	placement.Table
	// Overlay is the file that was written, and Changed whether it had to be.
	Overlay string `json:"overlay,omitempty"`
	Changed bool   `json:"changed,omitempty"`
	// Constrained counts the services that the overlay says something of.
	Constrained int `json:"constrained"`
	// Notes are what the user should know.
	Notes []string `json:"notes,omitempty"`
	// Text of an overlay that goes to standard output.
	Text []byte `json:"-"`

	files []placefiles.File
}

// Services tells where the images of services can run, and writes what a scheduler has to be told. An image that cannot be
// looked at is an error, and nothing is written then; the result has the others.
func Services(ctx context.Context, opts Options) (Placed, error) {
	p := &placing{Options: opts}
	if err := p.check(); err != nil {
		return Placed{}, err
	}
	cluster, err := p.cluster()
	if err != nil {
		return Placed{}, err
	}
	if err := p.read(); err != nil {
		return Placed{}, err
	}
	scheduler, err := p.scheduler(cluster)
	if err != nil {
		return Placed{}, err
	}
	if err := p.memory(); err != nil {
		return Placed{}, err
	}
	client, _, err := opts.Client(false)
	if err != nil {
		return Placed{}, err
	}
	images, failed := p.truth(ctx, client)
	if ctx.Err() != nil {
		return Placed{}, ctx.Err()
	}
	placed := Placed{Table: placement.Decide(p.services, images, cluster, scheduler), files: p.files}
	for _, f := range p.files {
		placed.Notes = append(placed.Notes, f.Notes...)
	}
	if failed != nil {
		return placed, failed
	}
	return placed, p.write(&placed)
}

// placing is Options read.
type placing struct {
	Options
	files    []placefiles.File
	services []placement.Service
	// only are the services of files that the command line names; none is all.
	only []string
	// local are references to images on this machine, which only the command line may name.
	local map[string]bool
}

// schedulers are what --for takes.
var schedulers = []string{string(placement.Swarm), string(placement.Cattle), string(placement.Kubernetes)}

// check finds wrong usage before anything is read.
func (p *placing) check() error {
	if p.For != "" && !slices.Contains(schedulers, p.For) {
		return wrong.Word("--for", p.For, schedulers)
	}
	if len(p.Paths) == 0 {
		return &wrong.Usage{errors.New("place needs FILE|REF"), "name a compose file, objects of Kubernetes, or images"}
	}
	if p.Nodes == stdin && slices.Contains(p.Paths, stdin) {
		return &wrong.Usage{errors.New("both the services and --nodes are to come from standard input"), "write one of them to a file"}
	}
	if slices.Index(p.Paths, stdin) != lastIndex(p.Paths, stdin) {
		return &wrong.Usage{errors.New("- is given twice, and standard input can be read once"), "give it once"}
	}
	return nil
}

func lastIndex(list []string, word string) int {
	for i, w := range slices.Backward(list) {
		if w == word {
			return i
		}
	}
	return -1
}

// scheduler is the one that was named, else the one that the files are for; of references alone it is that
// of the cluster.
func (p *placing) scheduler(c placement.Cluster) (placement.Scheduler, error) {
	word := placement.Scheduler(p.For)
	for _, f := range p.files {
		switch {
		case word == "":
			word = f.For
		case (word == placement.Kubernetes) != (f.For == placement.Kubernetes):
			return "", &wrong.Usage{fmt.Errorf("%s is for %s, and the overlay is to be for %s", f.Name, f.For, word), "give the files of one scheduler, and --for that one"}
		}
	}
	if word == "" {
		word = c.Kind
	}
	if c.Kind != "" && word != "" && (c.Kind == placement.Kubernetes) != (word == placement.Kubernetes) {
		return "", &wrong.Usage{fmt.Errorf("the nodes are those of %s, the services are for %s", c.Kind, word), "name the platforms instead: --nodes linux/amd64,linux/arm64"}
	}
	asked := p.For != "" || p.Overlay != ""
	switch {
	case asked && word == "":
		return "", &wrong.Usage{errors.New("nobody knows for which scheduler the overlay is to be"), "name it: --for swarm, cattle or kubernetes"}
	case p.Overlay != "" && len(p.files) == 0:
		return "", &wrong.Usage{errors.New("an overlay is laid over a file, and only images are given"), "give the compose file or the objects of Kubernetes, or leave -o out"}
	case asked && len(c.Nodes) == 0 && word != placement.Kubernetes:
		return "", &wrong.Usage{fmt.Errorf("what %s has to be told depends on the machines there are", word), "name them: --nodes linux/amd64,linux/arm64, or docker node inspect $(docker node ls -q) | archbuild place FILE --nodes -"}
	}
	if !asked && len(c.Nodes) == 0 {
		return placement.Generic, nil
	}
	return word, nil
}

// memory reads --min-memory and gives it to the services.
func (p *placing) memory() error {
	var failed []error
	for _, text := range p.MinMemory {
		name, size, found := strings.Cut(text, "=")
		bytes, err := units.RAMInBytes(size)
		if !found || err != nil || bytes <= 0 {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--min-memory %s: no SERVICE=SIZE", text), "write the name of a service and a size: --min-memory db=2g"})
			continue
		}
		var known []string
		hit := false
		for i, s := range p.services {
			known = append(known, s.Name)
			if s.Called(name) {
				p.services[i].MinMemory, hit = bytes, true
			}
		}
		if !hit {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--min-memory %s: there is no service %s%s", text, name, nearest.DidYouMean(name, known)), "the services are " + strings.Join(known, ", ")})
		}
	}
	return errors.Join(failed...)
}

// cluster reads --nodes.
func (p *placing) cluster() (placement.Cluster, error) {
	text := p.Nodes
	switch {
	case text == "":
		return placement.Cluster{}, nil
	case text == stdin:
		data, err := p.readStdin(placefiles.MaxNodes)
		if err != nil {
			return placement.Cluster{}, err
		}
		return placefiles.ReadNodes("standard input", data)
	}
	list, noList := platform.ParseList(text)
	if noList == nil {
		return placement.Listed(list), nil
	}
	data, err := readNamed(text, placefiles.MaxNodes)
	var missing *wrong.Usage
	if errors.As(err, &missing) && !strings.Contains(filepath.Base(text), ".") {
		return placement.Cluster{}, &wrong.Usage{fmt.Errorf("--nodes %s: %w", text, noList), wrong.Hint(noList)}
	}
	if err != nil {
		return placement.Cluster{}, err
	}
	return placefiles.ReadNodes(text, data)
}
