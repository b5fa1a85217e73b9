package archbuild

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/archbuild/archbuild/wrong"
)

// What an image says of itself beside its layers: how it was made (provenance), and
// what is in it (sbom). BuildKit makes both.
const (
	provenanceKind = "provenance"
	sbomKind       = "sbom"
)

// attestation is one --attest, or a short form of one.
type attestation struct {
	flag, kind string
	disabled   bool
	// attrs are KEY=VALUE in the order given.
	attrs []string
}

// attestations reads --attest, --provenance and --sbom. As in buildx the first one
// of a kind counts, and --attest comes before the short forms. Attestations are
// off unless asked, so that the same input gives the same index.
func (o Options) attestations() (provenance string, sbom *scanner, err error) {
	found := map[string]attestation{}
	var failed []error
	add := func(flag, text string) {
		a, err := parseAttest(flag, text)
		if _, there := found[a.kind]; err == nil && !there {
			found[a.kind] = a
		}
		failed = append(failed, err)
	}
	for _, text := range o.Attests {
		add("--attest", text)
	}
	if o.Provenance != "" {
		add("--provenance", longAttest(provenanceKind, o.Provenance))
	}
	if o.SBOM != "" {
		add("--sbom", longAttest(sbomKind, o.SBOM))
	}
	if a, wanted := found[provenanceKind]; wanted && !a.disabled {
		provenance, err = a.provenance()
		failed = append(failed, err)
	}
	if a, wanted := found[sbomKind]; wanted && !a.disabled {
		sbom, err = a.scanner()
		failed = append(failed, err)
	}
	return provenance, sbom, errors.Join(failed...)
}

// longAttest is what a short form stands for: true, false, or KEY=VALUE,….
func longAttest(kind, text string) string {
	if wanted, err := strconv.ParseBool(text); err == nil {
		return fmt.Sprintf("type=%s,disabled=%t", kind, !wanted)
	}
	if kind == provenanceKind && (text == "min" || text == "max") {
		text = "mode=" + text
	}
	return "type=" + kind + "," + text
}

func parseAttest(flag, text string) (attestation, error) {
	a := attestation{flag: flag}
	const hint = "write --attest type=provenance[,mode=min|max] or --attest type=sbom[,generator=IMAGE]"
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return a, &wrong.Usage{fmt.Errorf("%s %s: %w", flag, text, err), hint}
	}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "type":
			a.kind = value
		case "disabled":
			if a.disabled, err = strconv.ParseBool(value); err != nil {
				return a, &wrong.Usage{fmt.Errorf("%s %s: disabled is true or false", flag, text), hint}
			}
		default:
			if !ok {
				return a, &wrong.Usage{fmt.Errorf("%s %q: neither true, false nor KEY=VALUE", flag, field), hint}
			}
			a.attrs = append(a.attrs, field)
		}
	}
	if a.kind != provenanceKind && a.kind != sbomKind {
		return a, &wrong.Usage{fmt.Errorf("%s %s: there is no attestation of type %q", flag, text, a.kind), hint}
	}
	return a, nil
}

// provenanceKeys are what BuildKit reads of a provenance attestation.
var provenanceKeys = []string{"mode", "reproducible", "inline-only", "version", "filename", "builder-id"}

// provenance is BuildKit's attribute.
func (a attestation) provenance() (string, error) {
	for _, field := range a.attrs {
		key, value, _ := strings.Cut(field, "=")
		if !slices.Contains(provenanceKeys, key) {
			return "", &wrong.Usage{fmt.Errorf("%s %q: unknown word", a.flag, field), "use true, false, mode=min or mode=max"}
		}
		if key == "mode" && value != "min" && value != "max" {
			return "", &wrong.Usage{fmt.Errorf("%s: there is no mode %q", a.flag, value), "use mode=min or mode=max"}
		}
	}
	if len(a.attrs) == 0 {
		return "mode=max", nil // BuildKit's own default
	}
	return joinFields(a.attrs), nil
}

// joinFields is the reverse of reading a list with commas; fields that hold one are quoted.
func joinFields(fields []string) string {
	var text strings.Builder
	w := csv.NewWriter(&text)
	w.Write(fields) //nolint:errcheck // a strings.Builder takes everything
	w.Flush()
	return strings.TrimSuffix(text.String(), "\n")
}

// defaultScanner is the image that BuildKit takes to look for packages.
const defaultScanner = "docker/buildkit-syft-scanner:stable-1"

// scanner is the image that lists what an image holds, and what it is told.
type scanner struct {
	image  string
	params []string
}

func (a attestation) scanner() (*scanner, error) {
	s := &scanner{image: defaultScanner}
	for _, field := range a.attrs {
		if image, ok := strings.CutPrefix(field, "generator="); ok {
			s.image = image
			continue
		}
		s.params = append(s.params, field)
	}
	if _, err := reference.ParseNormalizedNamed(s.image); err != nil {
		return nil, &wrong.Usage{fmt.Errorf("%s: generator %q is no image: %w", a.flag, s.image, err), "name the image of a scanner: --sbom generator=IMAGE"}
	}
	return s, nil
}

// attr is BuildKit's attribute.
func (s *scanner) attr() string {
	return joinFields(append([]string{"generator=" + s.image}, s.params...))
}

// ScannerError says that an SBOM cannot be made, for want of the program that
// makes it.
type ScannerError struct {
	Image string
	Err   error
}

func (e *ScannerError) Error() string {
	return fmt.Sprintf("--sbom needs a scanner, and its image %s cannot be had: %v", e.Image, e.Err)
}

// Unwrap gives the registry's answer.
func (e *ScannerError) Unwrap() error { return e.Err }

// Hint tells where else a scanner can come from.
func (e *ScannerError) Hint() string {
	return "name one that your registry has: --sbom generator=IMAGE; BuildKit's own is " + defaultScanner
}

// findScanner proves that the scanner's image is there, and pins it: the node gets
// what was found. Without a network it is left to the node.
func (r run) findScanner(ctx context.Context) (*scanner, error) {
	if r.sbom == nil || r.Offline {
		return r.sbom, nil
	}
	named, err := reference.ParseNormalizedNamed(r.sbom.image)
	if err != nil {
		return nil, err
	}
	if _, pinned := named.(reference.Digested); pinned {
		return r.sbom, nil
	}
	tagged := reference.TagNameOnly(named).String()
	desc, err := r.registry.Descriptor(ctx, tagged)
	if err != nil {
		return nil, &ScannerError{Image: r.sbom.image, Err: err}
	}
	return &scanner{image: tagged + "@" + desc.Digest.String(), params: r.sbom.params}, nil
}
