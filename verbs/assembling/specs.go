package assembling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/manifest/spec"
	"github.com/archbuild/archbuild/wrong"
)

// SpecOptions is what a user can say of `manifest push`, which takes what
// manifest-tool takes.
type SpecOptions struct {
	Options
	// File is a spec, or - for standard input; empty means that Args are the spec.
	File string
	Args spec.Args
	// Strict makes an error of what a spec says without effect.
	Strict bool
	// IgnoreMissing leaves out images that do not exist, and no others.
	IgnoreMissing bool
}

// maxSpec bounds what is read of a spec, in bytes; package spec takes no more either.
const maxSpec = 1<<20 + 1

// Specs makes the index of each spec and moves its tags. All of them can be
// made, or none is pushed.
func Specs(ctx context.Context, opts SpecOptions) ([]Assembled, error) {
	if opts.Type == "" {
		opts.Type = string(manifest.Docker) // as manifest-tool has it
	}
	if opts.Password != "" {
		fmt.Fprintln(opts.Stderr, "archbuild: warning: --password shows the password to every user of this machine")
		fmt.Fprintln(opts.Stderr, "archbuild: hint: docker login keeps it, or a credential helper")
	}
	specs, warnings, err := opts.read()
	for _, w := range warnings {
		fmt.Fprintf(opts.Stderr, "archbuild: warning: %s\n", w)
		if w.Hint() != "" {
			fmt.Fprintf(opts.Stderr, "archbuild: hint: %s\n", w.Hint())
		}
	}
	if err != nil {
		return nil, err
	}
	var list []assembly
	for _, s := range specs {
		request, err := opts.ofSpec(s)
		if err != nil {
			return nil, err
		}
		list = append(list, assembly{request, s.Names()})
	}
	return opts.assemble(ctx, list)
}

func (o SpecOptions) read() ([]spec.Spec, []spec.Warning, error) {
	if o.File == "" {
		s, warnings, err := spec.FromArgs(o.Args)
		return []spec.Spec{s}, warnings, wrong.AsUsage(err)
	}
	source, err := o.readFile()
	if err != nil {
		return nil, nil, err
	}
	return spec.Parse(source, spec.Options{Name: o.File, Strict: o.Strict, Env: o.LookupEnv})
}

func (o SpecOptions) readFile() ([]byte, error) {
	if o.File == "-" {
		return io.ReadAll(io.LimitReader(o.Stdin, maxSpec))
	}
	f, err := os.Open(o.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &wrong.Usage{fmt.Errorf("%s: no such file", o.File), "give the path of a spec, or - for standard input"}
	}
	if err != nil {
		return nil, &wrong.Read{What: o.File, Err: err}
	}
	defer f.Close()
	source, err := io.ReadAll(io.LimitReader(f, maxSpec))
	if err != nil {
		return nil, &wrong.Read{What: o.File, Err: err}
	}
	return source, nil
}

// ofSpec joins what the spec says with the flags.
func (o SpecOptions) ofSpec(s spec.Spec) (manifest.Request, error) {
	o.Tags, o.Sources, o.Annotations = s.Names(), nil, nil
	for _, e := range s.Entries {
		o.Sources = append(o.Sources, e.Image)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		o.Annotations = append(o.Annotations, "index:"+key+"="+s.Annotations[key])
	}
	request, err := o.request()
	request.Strict = true
	for i, e := range s.Entries {
		request.Sources[i].Optional = o.IgnoreMissing
		request.Sources[i].Platform = ocispec.Platform{
			OS: e.Platform.OS, Architecture: e.Platform.Architecture, Variant: e.Platform.Variant,
			OSVersion: e.Platform.OSVersion, OSFeatures: e.Platform.OSFeatures,
		}
	}
	return request, err
}

// WriteDigests prints what manifest-tool prints: the digest and the size of each index.
func WriteDigests(w io.Writer, list []Assembled) error {
	for _, a := range list {
		if _, err := fmt.Fprintf(w, "Digest: %s %d\n", a.Digest, a.Size); err != nil {
			return err
		}
	}
	return nil
}
