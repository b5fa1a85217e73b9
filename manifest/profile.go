package manifest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Profile says where attestations (provenance, SBOM) are kept. The digests of the
// images are the same whichever is chosen.
type Profile string

const (
	// InIndex keeps them in the index, as entries for the platform unknown/unknown.
	InIndex Profile = "index"
	// AsReferrers moves them out of the index: the registry tells about them when it
	// is asked what refers to an image (OCI referrers).
	AsReferrers Profile = "referrers"
	// NoAttestations leaves them out. One image alone is then no index but the
	// plain manifest that old tools and AWS Lambda want.
	NoAttestations Profile = "none"
	// Split lets tags name an index without them; the index with them is kept beside
	// it, under its digest.
	Split Profile = "split"
)

// ParseProfile reads the text of --attestations.
func ParseProfile(text string) (Profile, error) {
	switch p := Profile(text); p {
	case "":
		return InIndex, nil
	case InIndex, AsReferrers, NoAttestations, Split:
		return p, nil
	}
	return "", &ProfileError{text}
}

// attestationArtifact is the artifact type that BuildKit gives attestation
// manifests with a subject.
const attestationArtifact = "application/vnd.docker.attestation.manifest.v1+json"

// profiled writes the documents above the images.
type profiled struct {
	request               Request
	images                []child
	entries, attestations []ocispec.Descriptor
}

func (o profiled) write(ctx context.Context, a *Assembly) error {
	switch o.request.Attestations {
	case NoAttestations:
		if len(o.images) == 1 {
			root := a.shipment.items[0]
			body, err := root.from.Document(ctx, root.Descriptor)
			a.Bytes = body
			a.describe(root.Descriptor, o.images, false)
			return err
		}
		return o.root(a, o.entries, false)
	case Split:
		if len(o.attestations) == 0 {
			return o.root(a, o.entries, false)
		}
		o.keep(a)
		full, err := o.add(a, append(o.entries[:len(o.entries):len(o.entries)], o.attestations...))
		if err != nil {
			return err
		}
		a.Full = full
		return o.root(a, o.entries, false)
	case AsReferrers:
		if err := o.refer(ctx, a); err != nil {
			return err
		}
		return o.root(a, o.entries, false)
	}
	o.keep(a)
	return o.root(a, append(o.entries[:len(o.entries):len(o.entries)], o.attestations...), true)
}

// keep sends the attestations along.
func (o profiled) keep(a *Assembly) {
	for _, c := range o.images {
		for _, d := range c.attestations {
			a.shipment.items = append(a.shipment.items, c.item(d))
		}
	}
}

// add writes an index of the entries after what is on its way.
func (o profiled) add(a *Assembly, entries []ocispec.Descriptor) (digest.Digest, error) {
	desc, body, err := o.request.index(entries)
	if err != nil {
		return "", err
	}
	// Nothing but the index itself is read from there.
	from := madePlace{Store{}, desc.Digest, body}
	a.shipment.items = append(a.shipment.items, item{Descriptor: desc, from: from, made: true})
	a.Descriptor, a.Bytes = desc, body
	return desc.Digest, nil
}

// root adds the index that tags name.
func (o profiled) root(a *Assembly, entries []ocispec.Descriptor, attested bool) error {
	if _, err := o.add(a, entries); err != nil {
		return err
	}
	a.describe(a.Descriptor, o.images, attested)
	return nil
}

// refer gives each attestation a subject: the image that it speaks of.
func (o profiled) refer(ctx context.Context, a *Assembly) error {
	for _, c := range o.images {
		for _, d := range c.attestations {
			body, err := c.from.Document(ctx, d)
			if err != nil {
				return err
			}
			var doc ocispec.Manifest
			if err := json.Unmarshal(body, &doc); err != nil {
				return fmt.Errorf("reading attestation %s: %w", d.Digest, err)
			}
			doc.Subject = &ocispec.Descriptor{MediaType: c.MediaType, Digest: c.Digest, Size: c.Size}
			doc.ArtifactType, doc.MediaType = attestationArtifact, ocispec.MediaTypeImageManifest
			if body, err = json.MarshalIndent(doc, "", "  "); err != nil {
				return fmt.Errorf("writing attestation %s: %w", d.Digest, err)
			}
			desc := ocispec.Descriptor{MediaType: doc.MediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
			a.shipment.items = append(a.shipment.items, item{Descriptor: desc, from: madePlace{c.from, desc.Digest, body}, repository: c.repository, source: c.source, made: true})
		}
	}
	return nil
}
