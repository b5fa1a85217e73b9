package ci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

const (
	// RecordFormat is the version of the document that this package writes and reads.
	RecordFormat = 1
	// MaxRecord is the longest record that is read, in bytes.
	MaxRecord = 1 << 20
)

// Record is what one leg built and pushed: an image of one platform, which lies in
// each of Repositories under its digest. docs/record.schema.json describes it.
type Record struct {
	Format int `json:"format"`
	// Archbuild is the version of the program that built.
	Archbuild string `json:"archbuild,omitempty"`
	// Name of the service: the folder that was built.
	Name     string            `json:"name"`
	Platform platform.Platform `json:"platform"`
	// Run is the pipeline that the leg belongs to, and Commit the state of its source;
	// each is empty where it is not known.
	Run    string `json:"run,omitempty"`
	Commit string `json:"commit,omitempty"`
	Inputs Inputs `json:"inputs"`
	// Recipe is the digest of what is this platform's own: its Dockerfile with every
	// base pinned, its arguments, its target.
	Recipe digest.Digest `json:"recipe"`
	// Repositories hold the image, by full name without tag.
	Repositories []string `json:"repositories"`
	// Image as the index is to list it, and the attestations that speak of it.
	Image        ocispec.Descriptor   `json:"image"`
	Attestations []ocispec.Descriptor `json:"attestations,omitempty"`
	Index        Index                `json:"index"`
	Verify       Verify               `json:"verify"`
	// Set is every platform that archbuild.yaml names for the image, in order.
	Set  []platform.Platform `json:"set,omitempty"`
	Node Node                `json:"node"`
	// How the slowest stage ran its programs: native, cross, emulated, or none.
	How     string  `json:"how,omitempty"`
	Stages  []Stage `json:"stages,omitempty"`
	Seconds float64 `json:"seconds"`
	// Digest is the sha256 of the same document without this field, written as
	// encoding/json writes it without spaces. A document that was written anew by other
	// programs, though it says the same, is not read.
	Digest digest.Digest `json:"digest"`
}

// Inputs tells one state of the source, and what was asked for, from another. All
// legs of one run have the same.
type Inputs struct {
	// Digest is the sha256 of Parts.
	Digest digest.Digest `json:"digest"`
	// Parts are digests by what they are of, so that a difference has a name.
	Parts map[string]digest.Digest `json:"parts"`
}

// The parts of inputs.
const (
	PartFiles     = "files"     // Dockerfiles, ignore files, archbuild.yaml
	PartArguments = "arguments" // what the command line asks for
	PartContext   = "context"   // what a build sees of the context
	PartBases     = "bases"     // the inputs of the project's images that it stands on
)

// DifferingParts names the parts in which inputs differ.
func DifferingParts(a, b Inputs) []string {
	var parts []string
	for _, part := range []string{PartFiles, PartArguments, PartContext, PartBases} {
		if a.Parts[part] != b.Parts[part] {
			parts = append(parts, part)
		}
	}
	return parts
}

// NewInputs is the inputs of these parts.
func NewInputs(parts map[string]digest.Digest) Inputs {
	body, _ := json.Marshal(parts) // It has strings alone.
	return Inputs{Digest: digest.FromBytes(body), Parts: parts}
}

// Index is what the index over all platforms is to have, for it is the same as if
// one run had built them all.
type Index struct {
	// Annotations of the index itself.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Attestations is the word of --attestations.
	Attestations string `json:"attestations,omitempty"`
}

// Verify is how the leg looked at its image, for whoever looks again.
type Verify struct {
	// Mode is fail, warn or off, and Allow are globs of files that are passed over.
	Mode  string   `json:"mode,omitempty"`
	Allow []string `json:"allow,omitempty"`
	// BaseLayers is how many of the lowest layers are the base's, which was resolved for
	// the platform and whose programs are somebody else's to answer for.
	BaseLayers int `json:"baseLayers,omitempty"`
}

// Node is where the leg ran.
type Node struct {
	Name string `json:"name"`
	// Platform of the node, which decides what runs natively.
	Platform platform.Platform `json:"platform"`
}

// Stage is a stage that the leg needed.
type Stage struct {
	Name string `json:"name"`
	How  string `json:"how,omitempty"`
}

// Sealed is the record with its digest.
func (r Record) Sealed() (Record, error) {
	r.Format, r.Digest = RecordFormat, ""
	sum, err := r.sum()
	r.Digest = sum
	return r, err
}

func (r Record) sum() (digest.Digest, error) {
	r.Digest = ""
	body, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("writing a record: %w", err)
	}
	return digest.FromBytes(body), nil
}

// JSON is the record as a file has it.
func (r Record) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return nil, fmt.Errorf("writing a record: %w", err)
	}
	return out.Bytes(), nil
}

// ReadRecord reads one record; from is how errors call the place it came from. Not
// more than MaxRecord bytes are read. Every error is a *RecordError.
func ReadRecord(from string, source io.Reader) (Record, error) {
	body, err := io.ReadAll(io.LimitReader(source, MaxRecord+1))
	if err != nil {
		return Record{}, &RecordError{From: from, Problem: "it cannot be read: " + err.Error(), Help: "is the file whole, and readable?"}
	}
	if len(body) > MaxRecord {
		return Record{}, &RecordError{From: from, Problem: fmt.Sprintf("it has more than %d bytes", MaxRecord), Help: helpForeign}
	}
	r, problem, help := decodeRecord(body)
	if problem != "" {
		return Record{}, &RecordError{From: from, Problem: problem, Help: help}
	}
	if problem := r.check(); problem != "" {
		return Record{}, &RecordError{From: from, Problem: problem, Help: helpForeign}
	}
	return r, nil
}

const (
	helpForeign = "take records that archbuild build --record wrote, and no other files"
	helpChanged = "it was changed or cut on its way: build the leg again, or fetch its record again"
)

// decodeRecord reads the JSON and holds it against its own digest.
func decodeRecord(body []byte) (r Record, problem, help string) {
	var version struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return r, "it is no JSON object: " + err.Error(), helpForeign
	}
	if version.Format == nil {
		return r, "it is no record: it has no format", helpForeign
	}
	if *version.Format != RecordFormat {
		return r, fmt.Sprintf("it has format %d, and this archbuild reads %d", *version.Format, RecordFormat), "use one version of archbuild for all legs and for assembling"
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, strings.TrimPrefix(err.Error(), "json: "), helpForeign
	}
	if _, err := decoder.Token(); err != io.EOF {
		return r, "there is something after the record", helpForeign
	}
	sum, err := r.sum()
	switch {
	case err != nil:
		return r, err.Error(), helpForeign
	case r.Digest == "":
		return r, "it has no digest", helpForeign
	case sum != r.Digest:
		return r, "its digest is not that of its content", helpChanged
	case !r.written(body):
		return r, "its content is written in another way than archbuild writes it", helpChanged
	}
	return r, "", ""
}

// written tells whether a document is the record as this package writes it, on one line or on
// several: there is no second way that another reader might take for another record.
func (r Record) written(body []byte) bool {
	line, err := json.Marshal(r)
	if err != nil {
		return false
	}
	lines, err := r.JSON()
	return err == nil && (bytes.Equal(body, line) || bytes.Equal(body, lines))
}
