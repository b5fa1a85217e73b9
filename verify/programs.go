package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/internal/program"
)

// Program is a file of an image that holds code for some machine.
type Program struct {
	Path string `json:"path"`
	// Found says what it is for: "linux/amd64 (ELF x86-64)".
	Found string `json:"found"`
	// Foreign tells that the platform cannot run it.
	Foreign bool `json:"foreign,omitempty"`
}

// Programs lists the programs and libraries among the files that were added to an
// image on top of its base, by path. Unlike in a Report it does not matter where they
// lie, and whether they may be executed: a file that can be loaded is one. What
// Options.Allow names is left out.
func Programs(ctx context.Context, img v1.Image, o Options) ([]Program, error) {
	allow, err := parseGlobs(o.Allow)
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("listing programs: %w", err)
	}
	key := memoryKey("programs", digest.String(), fmt.Sprint(o.BaseLayers), o.Platform.String(), o.Platform.OSVersion)
	list, ok := recall[[]Program](o.Memory, key)
	if !ok {
		if list, err = programs(ctx, img, o); err != nil {
			return nil, fmt.Errorf("listing programs: %w", err)
		}
		remember(o.Memory, key, list)
	}
	return slices.DeleteFunc(list, func(p Program) bool { return matchAny(allow, p.Path) }), nil
}

// programs lists them all.
func programs(ctx context.Context, img v1.Image, o Options) ([]Program, error) {
	s, err := newSubject(img, o)
	if err != nil {
		return nil, err
	}
	open, _ := s.readable()
	scans, err := s.scanner.layers(ctx, open)
	if err != nil {
		return nil, err
	}
	root := newTree(s.scanner.windows)
	for _, layer := range entriesOf(scans) {
		err = errors.Join(err, root.apply(layer, true))
	}
	if err != nil {
		return nil, err
	}
	list := []Program{}
	root.each(func(name string, n *node) {
		if n.program == nil || n.program.Format == program.Script {
			return
		}
		a, _ := n.program.RunsOn(s.want)
		list = append(list, Program{Path: name, Found: n.program.Describe(s.want), Foreign: a == program.Cannot})
	})
	return list, nil
}
