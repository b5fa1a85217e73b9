// Package verify tells whether an image is what its label says: whether the
// programs in it can run on its platform.
//
// An image for linux/arm64 can carry an amd64 program and nobody notices until
// it is started: the label comes from the build's request, not from the files.
// So the files are asked. Of every file that the build added on top of its base
// the first bytes are read; a program says there which machine it is for:
//
//	ELF     \x7fELF   machine, class, byte order; 32-bit ARM says more in .ARM.attributes
//	PE      MZ…PE     machine; .NET assemblies are for every machine
//	Mach-O  feedface  machine, or several of them
//	script  #!        the interpreter is asked instead
//
// What is looked at: the layers above Options.BaseLayers, put on top of one
// another as a runtime does it (whiteouts, opaque folders, hard and symbolic
// links). A file counts when it has such a magic number and may be executed, is
// named like a shared library, or is what the image starts. Relocatable
// objects, core files, BPF, firmware and foreign microcontrollers are no
// programs of the image.
//
// A program that the platform cannot run is an error where it is sure to be
// used: what the image starts, the folders of PATH, the library folders.
// Anywhere else it may be there on purpose (cross compilers, test data) and is
// a warning, as is everything that cannot be told for certain.
//
// Image looks at one image of any origin. A Checker looks at everything under a
// name: whether each manifest and blob is there and is what its descriptor says,
// whether clients will find the right image in the index, and each image's files.
package verify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/platform"
)

// rules is part of every remembered verdict's key: raise it when a change here
// can change a verdict.
const rules = "3"

// Options says what an image is to be verified against.
type Options struct {
	// Platform is the label: what the image must be for.
	Platform platform.Platform
	// BaseLayers is how many of the lowest layers belong to the resolved base and
	// are not looked at. The caller must have proved that: BaseLayers does.
	// 0 looks at the whole root.
	BaseLayers int
	// Allow lists globs of paths that may be for another machine: `*` and `?`
	// within a name, `**` across folders, a pattern without a slash matches a
	// name anywhere, and a folder allows what is in it.
	Allow []string
	// Origin tells which instruction put a file there, for messages: "COPY at
	// Dockerfile:12". Sure is false when that is a likely answer, not a certain
	// one ("a RUN of stage build"). May be nil.
	Origin func(path string) (origin string, sure bool)
	// Memory remembers verdicts; nil remembers nothing.
	Memory Memory
	// MaxBytes bounds what the layers unpack to, against bombs. 0 means 64 GiB.
	MaxBytes int64

	// shared keeps what layers hold that several images have; may be nil.
	shared *sharedLayers
}

// Memory keeps verdicts between runs; Folder is one. Keys are hexadecimal
// digests, so they can be file names. What it loses is looked at again. It is
// used by several goroutines when images are verified at the same time.
type Memory interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte)
}

// Image verifies one image. The error says that it could not be read or
// exceeds a limit; what is wrong with it is in the report (see Report.Err).
func Image(ctx context.Context, img v1.Image, o Options) (Report, error) {
	allow, err := parseGlobs(o.Allow)
	if err != nil {
		return Report{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return Report{}, fmt.Errorf("verifying image: %w", err)
	}
	key := memoryKey("image", digest.String(), fmt.Sprint(o.BaseLayers), o.Platform.String(), o.Platform.OSVersion)
	report, ok := recall[Report](o.Memory, key)
	if !ok {
		if report, err = look(ctx, img, o); err != nil {
			return Report{}, fmt.Errorf("verifying image %s: %w", digest, err)
		}
		remember(o.Memory, key, report)
	}
	// Allow and Origin do not change what was found, so they are applied to
	// remembered verdicts too.
	report.finish(allow, o.Origin)
	return report, nil
}

// BaseLayers tells how many of the image's lowest layers are exactly those of
// its base, given the digests of the layers in the base's manifest: all of
// them, or 0 when the image does not stand on that base.
func BaseLayers(img v1.Image, base []v1.Hash) (int, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return 0, fmt.Errorf("reading manifest: %w", err)
	}
	if len(base) > len(manifest.Layers) {
		return 0, nil
	}
	for i, digest := range base {
		if manifest.Layers[i].Digest != digest {
			return 0, nil
		}
	}
	return len(base), nil
}

func memoryKey(parts ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "verify %s\n", rules)
	for _, part := range parts {
		fmt.Fprintf(h, "%q\n", part)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// recall reads a remembered value; one that cannot be read counts as forgotten.
func recall[T any](m Memory, key string) (value T, ok bool) {
	if m == nil {
		return value, false
	}
	raw, ok := m.Get(key)
	if !ok || json.Unmarshal(raw, &value) != nil {
		var none T
		return none, false
	}
	return value, true
}

func remember(m Memory, key string, value any) {
	if m == nil {
		return
	}
	if raw, err := json.Marshal(value); err == nil {
		m.Put(key, raw)
	}
}
