package inspect

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
)

// maxStatement bounds the provenance that is read, maxMaterials what is told of it.
const (
	maxStatement = 2 << 20
	maxMaterials = 100
)

const slsa = "https://slsa.dev/provenance/"

// predicates names the usual types of statements, by the beginnings of theirs.
var predicates = []struct{ prefix, is string }{
	{slsa, "provenance (SLSA)"},
	{"https://spdx.dev/Document", "sbom (SPDX)"},
	{"https://cyclonedx.org/bom", "sbom (CycloneDX)"},
	{"https://slsa.dev/verification_summary/", "verification summary (SLSA)"},
	{"https://openvex.dev/ns", "vulnerabilities (OpenVEX)"},
	{"https://cosign.sigstore.dev/attestation/vuln/", "vulnerabilities (cosign)"},
	{"https://in-toto.io/attestation/vulns", "vulnerabilities (in-toto)"},
	{"https://in-toto.io/attestation/test-result/", "test result (in-toto)"},
	{"https://in-toto.io/attestation/release/", "release (in-toto)"},
}

// predicate is a type in short, or as it is.
func predicate(kind string) string {
	for _, p := range predicates {
		if strings.HasPrefix(kind, p.prefix) {
			return p.is
		}
	}
	return kind
}

// artifacts names the usual types of referrers.
var artifacts = map[string]string{
	"application/vnd.dev.cosign.artifact.sig.v1+json":      "signature (cosign)",
	"application/vnd.dev.cosign.simplesigning.v1+json":     "signature (cosign)",
	"application/vnd.dev.sigstore.bundle.v0.3+json":        "signature (sigstore)",
	"application/vnd.cncf.notary.signature":                "signature (Notary)",
	"application/vnd.in-toto+json":                         "attestation (in-toto)",
	"application/vnd.docker.attestation.manifest.v1+json":  "attestation (BuildKit)",
	"application/spdx+json":                                "sbom (SPDX)",
	"application/vnd.cyclonedx+json":                       "sbom (CycloneDX)",
	"application/vnd.dev.cosign.artifact.sbom.v1+json":     "sbom (cosign)",
	"application/vnd.dev.cosign.attestation.v1+json":       "attestation (cosign)",
	"application/vnd.openvex+json":                         "vulnerabilities (OpenVEX)",
	"application/sarif+json":                               "analysis (SARIF)",
	"application/vnd.oci.image.index.v1+json":              "an index",
	"application/vnd.oci.image.manifest.v1+json":           "an image",
	"application/vnd.docker.distribution.manifest.v2+json": "an image",
}

// referrers asks for what speaks of a digest; nobody has to know.
func (r *reader) referrers(ctx context.Context, d string) []Referrer {
	list, ok := r.from.Referrers(ctx, digest.Digest(d))
	if !ok {
		return nil
	}
	var told []Referrer
	for _, desc := range list {
		is := artifacts[desc.ArtifactType]
		if kind := desc.Annotations[imagetree.PredicateType]; kind != "" {
			is = predicate(kind)
		}
		told = append(told, Referrer{Digest: desc.Digest.String(), ArtifactType: desc.ArtifactType, Size: desc.Size, Is: is})
	}
	return told
}

// provenance asks the SLSA statement beside an image for what it was made from.
func (r *reader) provenance(ctx context.Context, image string) (*Base, []Base) {
	for _, n := range r.attestations {
		if n.Descriptor.Annotations[imagetree.ReferenceDigest] != image {
			continue
		}
		for _, layer := range n.Layers {
			if !strings.HasPrefix(layer.Annotations[imagetree.PredicateType], slsa) || layer.Size > maxStatement {
				continue
			}
			list := r.materials(ctx, layer)
			if len(list) == 1 {
				return &list[0], nil
			}
			if len(list) > 1 {
				return nil, list
			}
		}
	}
	return nil, nil
}

// material is an entry of provenance, in version 0.2 and 1 alike.
type material struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

func (r *reader) materials(ctx context.Context, desc ocispec.Descriptor) []Base {
	raw, err := r.from.Document(ctx, desc)
	if err != nil || len(raw) > maxStatement {
		return nil
	}
	var statement struct {
		Predicate struct {
			Materials       []material `json:"materials"`
			BuildDefinition struct {
				ResolvedDependencies []material `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	if json.Unmarshal(raw, &statement) != nil {
		return nil
	}
	var list []Base
	for _, m := range append(statement.Predicate.Materials, statement.Predicate.BuildDefinition.ResolvedDependencies...) {
		name, ok := imageName(m.URI)
		if !ok || isTool(name) {
			continue
		}
		b := Base{Name: name, From: "provenance"}
		if hex := m.Digest["sha256"]; hex != "" {
			b.Digest = "sha256:" + hex
		}
		if !slices.Contains(list, b) && len(list) < maxMaterials {
			list = append(list, b)
		}
	}
	return list
}

// imageName reads a package URL of an image: pkg:docker/debian@12?platform=…
func imageName(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "pkg:docker/")
	if !ok {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	name, version, _ := strings.Cut(rest, "@")
	name, errName := url.PathUnescape(name)
	version, errVersion := url.PathUnescape(version)
	switch {
	case errName != nil || errVersion != nil || name == "":
		return "", false
	case version == "":
		return name, true
	case strings.HasPrefix(version, "sha256:"):
		return name + "@" + version, true
	}
	return name + ":" + version, true
}

// isTool tells images that built rather than were built on.
func isTool(name string) bool {
	for _, tool := range []string{"docker/dockerfile", "docker/dockerfile-upstream", "docker/buildkit-syft-scanner"} {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "docker.io/"), tool)
		if ok && (rest == "" || rest[0] == ':' || rest[0] == '@') {
			return true
		}
	}
	return false
}
