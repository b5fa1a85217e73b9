package manifest

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// NoImageError says that there is no image in a source, or in all together.
type NoImageError struct{ Source string }

func (e *NoImageError) Error() string {
	if e.Source == "" {
		return "there is no image to make an index of"
	}
	return e.Source + " holds no image for a platform"
}

// Hint says what could be there instead.
func (e *NoImageError) Hint() string {
	return "name images that exist: references, OCI layouts or archives"
}

// SourcesError says that two sources have an image for the same platform.
type SourcesError struct {
	Platform      ocispec.Platform
	First, Second string
}

func (e *SourcesError) Error() string {
	if e.First == e.Second {
		return fmt.Sprintf("%s has two images for %s", e.First, full(e.Platform))
	}
	return fmt.Sprintf("%s and %s both have an image for %s", e.First, e.Second, full(e.Platform))
}

// Hint names the ways out.
func (e *SourcesError) Hint() string {
	return "an index holds each platform once: leave one out, or say which variant it is for (variant: in a spec, --set-platform SOURCE=OS/ARCH/VARIANT otherwise)"
}

// full is a platform with everything that tells it from others.
func full(p ocispec.Platform) string {
	text := platform.FromOCI(p).String()
	if p.OSVersion != "" {
		text += " (" + p.OSVersion + ")"
	}
	return text
}

// IncompleteError says that a platform is missing.
type IncompleteError struct {
	Platform platform.Platform
	Have     []platform.Platform
}

func (e *IncompleteError) Error() string {
	have := "nothing"
	if len(e.Have) > 0 {
		var names []string
		for _, p := range e.Have {
			names = append(names, p.String())
		}
		have = strings.Join(names, ", ")
	}
	return fmt.Sprintf("no image for %s: the sources have %s; nothing was moved", e.Platform, have)
}

// Hint tells how to go on.
func (e *IncompleteError) Hint() string {
	return fmt.Sprintf("build %s and add it to the sources, or leave it out of --platform and --require", e.Platform)
}

// AppendError says that a tag which is added to names something else than when it
// was read: moving it would lose what somebody else has added meanwhile.
type AppendError struct {
	Tag      string
	Was, Now digest.Digest
}

func (e *AppendError) Error() string {
	now, was := e.Now.String(), e.Was.String()
	if now == "" {
		now = "nothing"
	}
	if was == "" {
		was = "nothing"
	}
	return fmt.Sprintf("tag %s names %s, but named %s when it was read: somebody else pushed meanwhile, so no tag was moved", e.Tag, now, was)
}

// Hint tells how to add to what is there now.
func (e *AppendError) Hint() string { return "run the same command again" }

// UnknownPlatformError says that neither index nor config nor user tells a platform.
type UnknownPlatformError struct {
	Source string
	Digest digest.Digest
}

func (e *UnknownPlatformError) Error() string {
	return fmt.Sprintf("%s (%s): its config names no platform", e.Source, e.Digest)
}

// Hint tells how to name it.
func (e *UnknownPlatformError) Hint() string {
	return "say it: --set-platform " + e.Source + "=OS/ARCH"
}

// LabelError says that an image's config names another platform than the index
// is to say.
type LabelError struct {
	Source        string
	Digest        digest.Digest
	Label, Config platform.Platform
}

func (e *LabelError) Error() string {
	return fmt.Sprintf("%s is to be %s, but its config says %s (%s)", e.Source, e.Label, e.Config, e.Digest)
}

// Hint names the usual cause and the way around.
func (e *LabelError) Hint() string {
	return "was the right image pushed there? archbuild verify " + e.Source + " looks inside; --verify warn takes it as it is"
}

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *LabelError) ExitStatus() int { return 3 }

// DockerAnnotationError says that an annotation is asked for where there is no
// place for one.
type DockerAnnotationError struct{ Source string }

func (e *DockerAnnotationError) Error() string {
	if e.Source == "" {
		return "an index of type docker has no annotations"
	}
	return e.Source + " is of Docker's media type, which has no annotations"
}

// Hint names the way out.
func (e *DockerAnnotationError) Hint() string {
	return "use --type oci with index: or manifest-descriptor: annotations"
}

// ExitStatus is 2, as for every wrong usage.
func (e *DockerAnnotationError) ExitStatus() int { return 2 }

// ProfileError says that a text is no profile for attestations.
type ProfileError struct{ Input string }

func (e *ProfileError) Error() string {
	return fmt.Sprintf("--attestations %q: no such profile", e.Input)
}

// Hint lists them.
func (e *ProfileError) Hint() string { return "write index, referrers, none or split" }

// ExitStatus is 2, as for every wrong usage.
func (e *ProfileError) ExitStatus() int { return 2 }
