// Package assembling is the verbs manifest create and manifest push: one index of images that exist already.
// Package manifest gathers and pushes; here flags and specs become its requests.
package assembling

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// Options is what a user can say of an index that is made of images
// that exist already.
type Options struct {
	outside.World
	manifest.Release

	// Sources are references, OCI layouts or archives.
	Sources []string
	// Tags name the index; with several, Append takes what the first one names.
	Tags   []string
	Append bool
	// Platforms taken, and Require those that must be there; each may hold several.
	Platforms, Require []string
	// SetPlatforms are SOURCE=OS/ARCH[/VARIANT].
	SetPlatforms []string
	Annotations  []string
	// Type is oci or docker; empty means oci, or what a single source is.
	Type string
	// Verify is fail, warn or off: what follows from a config that names another platform.
	Verify       string
	MetadataFile string
	// DryRun reads everything and writes nothing.
	DryRun bool
}

// Assembled is an index that was, or with DryRun would be, put together.
type Assembled struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	// WithAttestations is the digest of the index that holds them too, if the tags
	// name one that does not.
	WithAttestations digest.Digest     `json:"withAttestations,omitempty"`
	Images           []manifest.Member `json:"images"`
	Warnings         []string          `json:"warnings,omitempty"`
	Pushed           *manifest.Pushed  `json:"pushed,omitempty"`

	// Bytes of the index.
	Bytes []byte `json:"-"`
	names []string
}

// Index reads the sources, puts one index together and moves the tags to it.
func Index(ctx context.Context, opts Options) (Assembled, error) {
	request, err := opts.request()
	if err != nil {
		return Assembled{}, err
	}
	list, err := opts.assemble(ctx, []assembly{{request, opts.Tags}})
	// Jobs that add to one index at the same time do so one after the other.
	for try := 1; opts.Append && overtaken(err) && try < appendings && ctx.Err() == nil; try++ {
		time.Sleep(rand.N(time.Second)) // They should not meet again.
		list, err = opts.assemble(ctx, []assembly{{request, opts.Tags}})
	}
	if len(list) == 0 {
		return Assembled{}, outside.Mistyped(err)
	}
	if err == nil {
		err = opts.writeMetadata(list[0])
	}
	return list[0], err
}

// appendings is how often an index is added to while others add to it.
const appendings = 10

// overtaken tells whether somebody else moved a tag between reading and moving it.
func overtaken(err error) bool {
	return errors.As(err, new(*manifest.AppendError)) || errors.As(err, new(*manifest.TagError))
}

// assembly is one index to make, and its names.
type assembly struct {
	manifest.Request
	names []string
}

// assemble gathers every index before it pushes the first, and pushes all before
// it moves the first tag, so that one that cannot be made keeps the others from
// being moved.
func (o Options) assemble(ctx context.Context, list []assembly) ([]Assembled, error) {
	for _, one := range list {
		o.Targets = append(o.Targets, one.names...)
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	defer o.Kept().Tidy()
	var made []Assembled
	var gathered []*manifest.Assembly
	defer func() {
		for _, a := range gathered {
			_ = a.Close() // It was only read.
		}
	}()
	for _, one := range list {
		a, err := manifest.Gather(ctx, client, one.Request)
		if err != nil {
			return nil, err
		}
		gathered = append(gathered, a)
		made = append(made, Assembled{
			Digest: a.Descriptor.Digest, MediaType: a.Descriptor.MediaType, Size: a.Descriptor.Size, WithAttestations: a.Full,
			Images: a.Images, Warnings: a.Warnings, Bytes: a.Bytes, names: one.names,
		})
	}
	if o.DryRun {
		return made, nil
	}
	var deliveries []manifest.Delivery
	for i, a := range gathered {
		deliveries = append(deliveries, manifest.Delivery{Assembly: a, Names: list[i].names})
	}
	pushed, err := manifest.PushAll(ctx, client, deliveries, o.pushOptions())
	for i := range pushed {
		made[i].Pushed = &pushed[i]
	}
	return made, err
}

func (o Options) pushOptions() manifest.PushOptions {
	return manifest.PushOptions{
		IfMatch: digest.Digest(o.IfMatch), ChildTags: o.ChildTags, Journal: manifest.Journal{Dir: o.Kept().Journal},
	}
}

func (o Options) client() (*registry.Client, error) {
	client, _, err := o.Client(o.DryRun)
	return client, err
}

// request reads the flags. All wrong ones are reported at once.
func (o Options) request() (manifest.Request, error) {
	r := manifest.Request{Type: manifest.IndexType(o.Type), Unchecked: o.Verify == "warn" || o.Verify == "off"}
	var failed []error
	note := func(err error) { failed = append(failed, wrong.AsUsage(err)) }
	if len(o.Tags) == 0 && !o.DryRun {
		note(&wrong.Usage{errors.New("there is no tag"), "name the index: -t REGISTRY/NAME:TAG, or look first: --dry-run"})
	}
	if len(o.Sources) == 0 && !(o.Append && len(o.Tags) > 0) {
		note(&wrong.Usage{errors.New("there is no source"), "name the images to put together: references, OCI layouts or archives"})
	}
	if len(o.Tags) > 0 {
		note(manifest.CheckNames(o.Tags, false))
	}
	if o.Append && len(o.Tags) > 0 {
		r.Append = o.Tags[0]
	}
	var err error
	r.Platforms, err = outside.ParsePlatforms("--platform", o.Platforms, platform.Host())
	note(err)
	r.Require, err = outside.ParsePlatforms("--require", o.Require, platform.Host())
	note(err)
	r.Annotations, err = manifest.ParseAnnotations(o.Annotations)
	note(err)
	note(r.Annotations.CheckPushed())
	r.Attestations, err = manifest.ParseProfile(o.Attestations)
	note(err)
	r.Sources, err = o.sources()
	note(err)
	note(o.checkWords(r))
	return r, errors.Join(failed...)
}

func (o Options) checkWords(r manifest.Request) error {
	var failed []error
	for _, flag := range []struct {
		name, value string
		words       []string
	}{
		{"--type", o.Type, []string{"oci", "docker"}},
		{"--verify", o.Verify, []string{"fail", "warn", "off"}},
	} {
		if flag.value != "" && !slices.Contains(flag.words, flag.value) {
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s %s: no such word%s", flag.name, flag.value, nearest.DidYouMean(flag.value, flag.words)), "use one of " + strings.Join(flag.words, ", ")})
		}
	}
	if r.Type == manifest.Docker && len(r.Annotations) > 0 {
		failed = append(failed, &manifest.DockerAnnotationError{})
	}
	failed = append(failed, o.Release.Check(o.Tags))
	return errors.Join(failed...)
}

// sources gives each source the platform that --set-platform says it is for.
func (o Options) sources() ([]manifest.Source, error) {
	var list []manifest.Source
	for _, text := range o.Sources {
		list = append(list, manifest.Source{Text: text})
	}
	for _, text := range o.SetPlatforms {
		name, word := text, ""
		end := strings.LastIndex(text, "=")
		if end >= 0 {
			name, word = text[:end], text[end+1:]
		}
		at := slices.IndexFunc(list, func(s manifest.Source) bool { return s.Text == name })
		if end < 0 || at < 0 {
			return nil, &wrong.Usage{fmt.Errorf("--set-platform %s: %q is none of the sources", text, name), "write SOURCE=OS/ARCH[/VARIANT], with SOURCE as it is given on the command line"}
		}
		p, err := platform.Parse(word)
		if err != nil {
			return nil, &wrong.Usage{fmt.Errorf("--set-platform %s: %w", text, err), wrong.Hint(err)}
		}
		list[at].Platform = p.OCI()
	}
	return list, nil
}

// writeMetadata writes buildx's keys to --metadata-file.
func (o Options) writeMetadata(a Assembled) error {
	if o.MetadataFile == "" {
		return nil
	}
	body, err := a.metadata()
	if err != nil {
		return err
	}
	return outside.WriteWhole(o.MetadataFile, body)
}

// metadata are buildx's keys.
func (a Assembled) metadata() ([]byte, error) {
	return manifest.Metadata(ocispec.Descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: a.Size}, "", a.names)
}
