package manifest

import (
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/platform"
)

// DuplicateError says that two results claim one platform.
type DuplicateError struct{ Platform platform.Platform }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("two manifests for platform %s", e.Platform)
}

// Hint says how that comes about.
func (e *DuplicateError) Hint() string {
	return "an index holds each platform once: name it once, spelled any way (linux/arm64/v8 is linux/arm64)"
}

// PlatformError says that an image's config names another platform than the
// one it was built for.
type PlatformError struct {
	Label, Config platform.Platform
	Digest        digest.Digest
}

func (e *PlatformError) Error() string {
	config := e.Config.String()
	if config == "" {
		config = "no platform"
	}
	return fmt.Sprintf("image %s was built for %s, but its config says %s", e.Digest, e.Label, config)
}

// Hint names the usual cause.
func (e *PlatformError) Hint() string {
	return "the final stage must be for the target: look for FROM --platform=… or a base image of another platform there"
}

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *PlatformError) ExitStatus() int { return 3 }

// OutputError says what is wrong with the text of an --output.
type OutputError struct{ Input, Problem, Help string }

func (e *OutputError) Error() string { return fmt.Sprintf("output %q: %s", e.Input, e.Problem) }

// Hint is the one thing to do next.
func (e *OutputError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *OutputError) ExitStatus() int { return 2 }

// OnePlatformError says that an image of several platforms was to become an
// archive of Docker's form, which holds one.
type OnePlatformError struct{ Platforms int }

func (e *OnePlatformError) Error() string {
	return fmt.Sprintf("an archive of type=docker holds one platform, not %d", e.Platforms)
}

// Hint names the form that holds several.
func (e *OnePlatformError) Hint() string {
	return "write type=oci,dest=FILE, which holds all of them, or build one --platform"
}

// ExitStatus is 2, as for every wrong usage.
func (e *OnePlatformError) ExitStatus() int { return 2 }

// AnnotationError says what is wrong with the text of an --annotation.
type AnnotationError struct{ Input, Problem string }

func (e *AnnotationError) Error() string {
	return fmt.Sprintf("annotation %q: %s", e.Input, e.Problem)
}

// Hint shows the forms.
func (e *AnnotationError) Hint() string {
	return "write KEY=VALUE or LEVEL:KEY=VALUE, where LEVEL is index, index-descriptor, manifest[PLATFORM] or manifest-descriptor[PLATFORM]"
}

// ExitStatus is 2, as for every wrong usage.
func (e *AnnotationError) ExitStatus() int { return 2 }

// DescriptorError says that an annotation is for the entry of the index in a
// layout's index.json, but no layout is written: registries have no such entry.
type DescriptorError struct{ Key string }

func (e *DescriptorError) Error() string {
	return fmt.Sprintf("annotation \"index-descriptor:%s\": a registry has no place for it", e.Key)
}

// Hint names the level that is kept.
func (e *DescriptorError) Hint() string {
	return fmt.Sprintf("write it into the index itself: index:%s=VALUE", e.Key)
}

// ExitStatus is 2, as for every wrong usage.
func (e *DescriptorError) ExitStatus() int { return 2 }

// NotLayoutError says that a folder holds something else than a layout written
// by archbuild, so it is not written over.
type NotLayoutError struct{ Dir, Problem string }

func (e *NotLayoutError) Error() string {
	return fmt.Sprintf("%s is not an image layout of archbuild: %s", e.Dir, e.Problem)
}

// Hint names the ways out.
func (e *NotLayoutError) Hint() string {
	return fmt.Sprintf("choose another folder with dest=, or empty %s if nothing in it is needed", e.Dir)
}

// TagError says that a tag was written but names something else now: another
// push to the same tag came after ours.
type TagError struct {
	Tag       string
	Want, Got digest.Digest
}

func (e *TagError) Error() string {
	return fmt.Sprintf("tag %s names %s, not %s: another push came after this one", e.Tag, e.Got, e.Want)
}

// Hint tells how to have it back.
func (e *TagError) Hint() string {
	return "push again, and let only one job at a time push this tag"
}

// NameError says that a text is no name for an image to be given.
type NameError struct{ Name, Problem string }

func (e *NameError) Error() string { return fmt.Sprintf("image name %q: %s", e.Name, e.Problem) }

// Hint shows the form.
func (e *NameError) Hint() string { return "write [REGISTRY/]REPOSITORY[:TAG], in lower case" }

// ExitStatus is 2, as for every wrong usage.
func (e *NameError) ExitStatus() int { return 2 }

// MatchError says that a tag names something else than --if-match asked for.
type MatchError struct {
	Tag       string
	Want, Got digest.Digest
}

func (e *MatchError) Error() string {
	return fmt.Sprintf("tag %s names %s, not %s: somebody moved it, so no tag was moved", e.Tag, e.Got, e.Want)
}

// Hint tells how to go on.
func (e *MatchError) Hint() string {
	return fmt.Sprintf("look at what is there (archbuild manifest inspect %s), then use --if-match %s", e.Tag, e.Got)
}

// UndoError says that a tag names the new image although the push failed.
type UndoError struct {
	Tag    string
	Before digest.Digest
	Err    error
}

func (e *UndoError) Error() string {
	was := "did not exist"
	if e.Before != "" {
		was = "named " + e.Before.String()
	}
	return fmt.Sprintf("tag %s, which %s, names the new image and could not be moved back: %v", e.Tag, was, e.Err)
}

// Unwrap gives the cause.
func (e *UndoError) Unwrap() error { return e.Err }

// Hint tells the way forward.
func (e *UndoError) Hint() string {
	return "the image is complete: run the same command again to move the other tags too"
}

// LostError says that it is not known what a tag names after a push that failed.
type LostError struct {
	Tag string
	Err error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("tag %s may name the new image: it could not be looked at: %v", e.Tag, e.Err)
}

// Unwrap gives the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Hint tells the way forward.
func (e *LostError) Hint() string {
	return "the image is complete: when the registry answers again, run the same command to move all tags"
}

// ChildTagError says what is wrong with the pattern of --child-tags.
type ChildTagError struct{ Pattern, Problem, Help string }

func (e *ChildTagError) Error() string {
	return fmt.Sprintf("--child-tags %q: %s", e.Pattern, e.Problem)
}

// Hint is the one thing to do next.
func (e *ChildTagError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *ChildTagError) ExitStatus() int { return 2 }
