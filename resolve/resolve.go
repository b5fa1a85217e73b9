package resolve

import (
	"context"

	"github.com/archbuild/archbuild/platform"
)

// Question asks which image serves a reference on a platform.
type Question struct {
	// Image is the reference as the Dockerfile names it, ARGs evaluated.
	Image    string
	Platform platform.Platform
	// Chosen says that a comment in the Dockerfile names the image for this very
	// platform. Mode Prefix gives it no prefix.
	Chosen bool
}

// Answer says which image serves it, and why.
type Answer struct {
	Question
	// Use is the reference to build from, written the author's way: docker.io/arm64v8/x:1.
	// Equal to Question.Image when nothing was mapped.
	Use string
	// Digest of the manifest for the platform: "sha256:…". Empty when nothing was
	// proven, which happens offline only.
	Digest string
	// Index is the digest of the index that was asked, where it leaves no choice: it
	// lists no other image for the architecture. Else it is empty.
	Index string
	// Rule says in few words what decided: "index holds it", "official prefix arm64v8/",
	// "amd64 in the name becomes arm64", "archbuild.yaml:7", "--base".
	Rule string
	// By is the rule that decided, if it was one of Rules.List; else it is zero.
	By Rule
	// Undecided tells that the reference was kept because offline nothing says what serves it.
	Undecided bool
	// Kept tells that mode Prefix left the reference as it is, without proof: no
	// official image has its name.
	Kept bool
	// Locked tells that Digest comes from archbuild.lock.
	Locked bool
	// Onbuild are the ONBUILD instructions of the image's config.
	Onbuild []string
	// Env are the variables that its config sets, NAME=VALUE.
	Env []string
	// Layers are the digests of the image's layers, lowest first, and DiffIDs those of what
	// they unpack to.
	Layers, DiffIDs []string
	// Trail lists what was tried, in order; the last that serves is Use.
	Trail []Step
}

// Image is what a registry says of a reference.
type Image struct {
	// Digest of what the reference itself names: an index or a manifest.
	Digest string
	// Index tells that it is an index, not a single image.
	Index bool
	// Offers lists the images there, one for each platform; a plain manifest has one.
	Offers []Offer
	// Locked tells that archbuild.lock says so, not a registry.
	Locked bool
}

// Offer is one image of a reference.
type Offer struct {
	Platform platform.Platform
	Digest   string
}

// Registry answers what exists. *registry.Client of internal/registry is one.
type Registry interface {
	// Image resolves a tag or digest; a reference that does not exist is an error for which NotFound is true.
	Image(ctx context.Context, ref string) (Image, error)
	// Config reads the image config of one manifest.
	Config(ctx context.Context, ref, digest string) (Config, error)
}

// Config is what archbuild needs of an image config.
type Config struct {
	Platform platform.Platform
	// NoVariant tells that the config names no variant, so Platform has the usual one.
	NoVariant bool
	Onbuild   []string
	// Env are the variables that the image sets, NAME=VALUE.
	Env []string
	// Layers are the digests of the layers in the manifest, lowest first, and DiffIDs those
	// of what they unpack to, as the config has them.
	Layers, DiffIDs []string
}
