package ci

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// Bounds of what a record may list.
const (
	maxRepositories = 64
	maxAttestations = 64
	maxPlatforms    = 128
	maxStages       = 10_000
	// maxManifest is what registries take for a manifest.
	maxManifest = 4 << 20
)

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,127}$`)
	runPattern    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// IsRun tells whether a text can name a run: it becomes part of a tag.
func IsRun(text string) bool { return runPattern.MatchString(text) }

// IsCommit tells whether a text is the full name of a commit.
func IsCommit(text string) bool { return commitPattern.MatchString(text) }

// imageTypes are what an image manifest may say it is.
var imageTypes = []string{ocispec.MediaTypeImageManifest, "application/vnd.docker.distribution.manifest.v2+json"}

// The annotations by which BuildKit marks attestations.
const (
	referenceType   = "vnd.docker.reference.type"
	referenceDigest = "vnd.docker.reference.digest"
)

// check says what is wrong with the fields, or nothing.
func (r Record) check() string {
	for _, problem := range []string{
		r.checkNames(), r.checkDigests(), r.checkRepositories(), r.checkImage(), r.checkAttestations(), r.checkSet(),
	} {
		if problem != "" {
			return problem
		}
	}
	return ""
}

func (r Record) checkNames() string {
	switch {
	case !namePattern.MatchString(r.Name) || strings.Contains(r.Name, ".."):
		return fmt.Sprintf("%.40q is no name of a service", r.Name)
	case r.Run != "" && !IsRun(r.Run):
		return fmt.Sprintf("%.40q is no name of a run", r.Run)
	case r.Commit != "" && !IsCommit(r.Commit):
		return fmt.Sprintf("%.40q is no commit", r.Commit)
	case r.Platform.OS == "" || r.Platform.Arch == "":
		return "it names no platform"
	case r.Node.Platform.OS == "":
		return "it does not say on what platform it was built"
	case r.Seconds < 0 || math.IsNaN(r.Seconds):
		return "it took less than no time"
	case r.Verify.BaseLayers < 0 || !slices.Contains([]string{"", "fail", "warn", "off"}, r.Verify.Mode):
		return "it does not say how its image was verified"
	case len(r.Stages) > maxStages:
		return fmt.Sprintf("it has more than %d stages", maxStages)
	}
	return ""
}

func (r Record) checkDigests() string {
	if len(r.Inputs.Parts) > 16 {
		return "its inputs have too many parts"
	}
	all := []digest.Digest{r.Inputs.Digest, r.Recipe, r.Image.Digest}
	for _, part := range r.Inputs.Parts {
		all = append(all, part)
	}
	for _, d := range all {
		if !isDigest(d) {
			return fmt.Sprintf("%.40q is no sha256 digest", d)
		}
	}
	if NewInputs(r.Inputs.Parts).Digest != r.Inputs.Digest {
		return "the digest of its inputs is not that of their parts"
	}
	return ""
}

func isDigest(d digest.Digest) bool {
	return d.Validate() == nil && d.Algorithm() == digest.SHA256
}

func (r Record) checkRepositories() string {
	if len(r.Repositories) == 0 || len(r.Repositories) > maxRepositories {
		return "it names no repository, or too many"
	}
	for _, text := range r.Repositories {
		named, err := reference.ParseNormalizedNamed(text)
		if err != nil || !reference.IsNameOnly(named) || named.Name() != text {
			return fmt.Sprintf("%.80q is no repository by its full name", text)
		}
	}
	return ""
}

func (r Record) checkImage() string {
	d := r.Image
	switch {
	case !slices.Contains(imageTypes, d.MediaType):
		return fmt.Sprintf("its image is of type %.80q, which is no image", d.MediaType)
	case !isSize(d.Size):
		return fmt.Sprintf("its image's manifest has %d bytes", d.Size)
	case d.Platform == nil || platform.FromOCI(*d.Platform) != r.Platform:
		return "its image is listed for another platform than " + r.Platform.String()
	case len(d.URLs) > 0 || len(d.Data) > 0 || d.ArtifactType != "":
		return "its image has fields that archbuild does not write"
	}
	return ""
}

func isSize(size int64) bool { return size > 0 && size <= maxManifest }

func (r Record) checkAttestations() string {
	if len(r.Attestations) > maxAttestations {
		return fmt.Sprintf("it has more than %d attestations", maxAttestations)
	}
	for _, d := range r.Attestations {
		unknown := d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
		switch {
		case !isDigest(d.Digest) || !isSize(d.Size) || d.MediaType != ocispec.MediaTypeImageManifest || !unknown || len(d.URLs) > 0 || len(d.Data) > 0:
			return "one of its attestations is none"
		case d.Annotations[referenceType] == "" || d.Annotations[referenceDigest] != r.Image.Digest.String():
			return "one of its attestations speaks of another image"
		}
	}
	return ""
}

func (r Record) checkSet() string {
	if len(r.Set) > maxPlatforms {
		return fmt.Sprintf("it names more than %d platforms", maxPlatforms)
	}
	for i, p := range r.Set {
		if p.OS == "" || slices.Contains(r.Set[:i], p) {
			return "the platforms that it names are no set"
		}
	}
	if len(r.Set) > 0 && !slices.Contains(r.Set, r.Platform) {
		return "its own platform is none of those that it names"
	}
	switch r.Index.Attestations {
	case "", "index", "referrers", "none", "split":
		return ""
	}
	return fmt.Sprintf("%.40q is no place for attestations", r.Index.Attestations)
}

// FileName is the name under which a leg's record lies in a folder, and the leg's own
// name in a matrix: service-linux-arm64.json without the ending.
func FileName(service string, p platform.Platform) string {
	return LegName(service, p) + ".json"
}

// LegName is what a leg is called: service-linux-arm64. CI artifacts, which may have
// no slash in their names, can be named by it.
func LegName(service string, p platform.Platform) string { return service + "-" + flat(p) }

// StagingTag is the tag that keeps what a leg of a run pushed, until it is assembled.
func StagingTag(run string, p platform.Platform) string {
	return "archbuild-staging-" + run + "-" + flat(p)
}

func flat(p platform.Platform) string {
	text := strings.ReplaceAll(p.String(), "/", "-")
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			return c
		}
		return '_'
	}, strings.ToLower(text))
}

// same tells whether two descriptors are the same in every field.
func same(a, b any) bool {
	one, err := json.Marshal(a)
	two, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(one) == string(two)
}
