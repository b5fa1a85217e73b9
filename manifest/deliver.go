package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/internal/whole"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Written tells what an output left behind.
type Written struct {
	Type OutputType `json:"type"`
	// Dest is the path, or - for stdout.
	Dest string `json:"dest,omitempty"`
	// Skipped names device nodes that could not be made.
	Skipped []string `json:"skipped,omitempty"`
}

// Write delivers the image to one output; tags are those of the build, see
// Output.Named. Files appear whole or not at all. An output of type image is for
// Push, one of type docker without a file is for an engine, and both are errors here.
func (x Index) Write(ctx context.Context, o Output, tags []string, stdout io.Writer) (Written, error) {
	names := o.Named(tags)
	done := Written{Type: o.Type, Dest: o.Dest}
	switch o.Type {
	case TypeDocker:
		if o.Loads() {
			return done, errors.New("an image is loaded into an engine, not written")
		}
		return done, writeTo(o.Dest, stdout, func(w io.Writer) error { return x.WriteDocker(ctx, w, names) })
	case TypeOCI:
		if o.Folder {
			return done, x.WriteLayout(ctx, o.Dest, names)
		}
		return done, writeTo(o.Dest, stdout, func(w io.Writer) error { return x.WriteArchive(ctx, w, names) })
	case TypeTar:
		return done, writeTo(o.Dest, stdout, func(w io.Writer) error { return x.WriteTar(ctx, w, o.Split) })
	case TypeLocal:
		var err error
		done.Skipped, err = x.WriteLocal(ctx, o.Dest, o.Split)
		return done, err
	case TypeCacheOnly:
		return done, nil
	}
	return done, fmt.Errorf("an output of type %s is pushed, not written", o.Type)
}

// writeTo gives write the destination: stdout, or a file that appears when it
// is whole.
func writeTo(dest string, stdout io.Writer, write func(io.Writer) error) error {
	if dest == "-" {
		return write(stdout)
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", dest, err)
	}
	if err := whole.Stream(dest, write); err != nil {
		return fmt.Errorf("writing %s: %w", dest, err)
	}
	return nil
}

// ImageID is the content of an --iidfile: the digest of the index.
func (x Index) ImageID() string { return x.Descriptor.Digest.String() }

// metadata has the keys of buildx's --metadata-file, in its order.
type metadata struct {
	Config     string             `json:"containerimage.config.digest,omitempty"`
	Descriptor ocispec.Descriptor `json:"containerimage.descriptor"`
	Digest     string             `json:"containerimage.digest"`
	Name       string             `json:"image.name,omitempty"`
}

// Metadata is the content of a --metadata-file: JSON with buildx's keys.
// containerimage.config.digest is there for a single platform only.
func (x Index) Metadata(names []string) ([]byte, error) {
	config := ""
	if len(x.Results) == 1 {
		config = x.Results[0].Config.String()
	}
	return Metadata(x.Descriptor, config, names)
}

// Metadata is the content of a --metadata-file for what a descriptor names.
func Metadata(desc ocispec.Descriptor, config string, names []string) ([]byte, error) {
	full, err := fullNames(names)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, name := range full {
		texts = append(texts, name.String())
	}
	m := metadata{Config: config, Descriptor: desc, Digest: desc.Digest.String(), Name: strings.Join(texts, ",")}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing metadata: %w", err)
	}
	return append(body, '\n'), nil
}
