package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Lock is an archbuild.lock: what references named when it was written. While
// it says what a reference is, no registry is asked. The zero value is empty.
type Lock struct {
	// Images are sorted by Ref, each Ref once.
	Images []LockedImage
	// Crossed are the stages that failed on the build platform, sorted.
	Crossed []CrossFailure
}

// LockedImage is what one reference named.
type LockedImage struct {
	// Ref in short form, tag included: debian:12, registry.example/x:1.
	Ref string
	Image
	// Onbuild are the ONBUILD instructions of the images that have some, by digest.
	Onbuild map[string][]string
}

// lockKey is the form in which a lock names references.
func lockKey(ref string) (string, error) {
	n, err := parseName(ref)
	if err != nil {
		return "", err
	}
	forms := n.forms()
	return forms[len(forms)-1], nil
}

// Find gives what a reference named; it may be written in any form.
func (l Lock) Find(ref string) (LockedImage, bool) {
	if len(l.Images) == 0 {
		return LockedImage{}, false
	}
	key, err := lockKey(ref)
	if err != nil {
		return LockedImage{}, false
	}
	i, ok := slices.BinarySearchFunc(l.Images, key, func(image LockedImage, key string) int { return cmp.Compare(image.Ref, key) })
	if !ok {
		return LockedImage{}, false
	}
	return l.Images[i], true
}

// NewLock makes the lock that gives these answers again. Every reference that was
// tried for one is asked for, so the Registry should remember what it was asked
// for them. Answers of several Dockerfiles can be put together.
func NewLock(ctx context.Context, reg Registry, answers map[Question]Answer) (Lock, error) {
	images := map[string]LockedImage{}
	for _, q := range slices.SortedFunc(maps.Keys(answers), compareQuestions) {
		answer := answers[q]
		if answer.Digest == "" {
			return Lock{}, fmt.Errorf("writing archbuild.lock: %w", &NotLockedError{Ref: answer.Use})
		}
		for _, ref := range append(answer.asked(), answer.Use) {
			key, err := lockKey(ref)
			if err != nil {
				return Lock{}, err
			}
			if _, known := images[key]; !known {
				image, err := reg.Image(ctx, ref)
				if err != nil && ref != answer.Use && isMissing(err) {
					continue
				}
				if err != nil {
					return Lock{}, fmt.Errorf("writing archbuild.lock: %w", err)
				}
				images[key] = lockedImage(key, image)
			}
			if ref == answer.Use && len(answer.Onbuild) > 0 {
				images[key].Onbuild[answer.Digest] = answer.Onbuild
			}
		}
	}
	return Lock{Images: slices.SortedFunc(maps.Values(images), compareImages)}, nil
}

// asked lists the references that were tried.
func (a Answer) asked() []string {
	var list []string
	for _, step := range a.Trail {
		list = append(list, step.Image)
	}
	return list
}

// lockedImage is an image as the lock holds it: its offers sorted, the first of
// those for the same platform.
func lockedImage(ref string, image Image) LockedImage {
	image.Locked = true
	image.Offers = slices.Clone(image.Offers)
	slices.SortStableFunc(image.Offers, func(a, b Offer) int { return a.Platform.Compare(b.Platform) })
	image.Offers = slices.CompactFunc(image.Offers, func(a, b Offer) bool { return a.Platform == b.Platform })
	return LockedImage{Ref: ref, Image: image, Onbuild: map[string][]string{}}
}

func compareImages(a, b LockedImage) int { return cmp.Compare(a.Ref, b.Ref) }

// Without gives the lock without the references named, so that they are asked for
// anew; the names that conventions give the same image go with them. One that
// is not there is a *NotLockedError.
func (l Lock) Without(refs ...string) (Lock, error) {
	drop := map[string]bool{}
	for _, ref := range refs {
		key, err := lockKey(ref)
		if err != nil {
			return l, err
		}
		same := family(key)
		found := false
		for _, image := range l.Images {
			if image.Ref == key || family(image.Ref) == same {
				drop[image.Ref], found = true, true
			}
		}
		if !found {
			return l, &NotLockedError{Ref: ref}
		}
	}
	kept := slices.DeleteFunc(slices.Clone(l.Images), func(image LockedImage) bool { return drop[image.Ref] })
	return Lock{Images: kept, Crossed: l.Crossed}, nil
}

// family is the same for all names that conventions give one image.
func family(ref string) string {
	n, err := parseName(ref)
	if err != nil {
		return ref
	}
	if n.official() {
		ref = n.in("library")
	}
	ref, _, _ = strings.Cut(ref, "@")
	if n, err = parseName(ref); err != nil {
		return ref
	}
	for _, p := range platform.All() {
		for _, word := range words(p) {
			if use, ok := n.replace(word, "amd64"); ok {
				n.written = use
			}
		}
	}
	return n.written
}

// Over is a Registry that answers from the lock, and asks reg for what is not in it.
func (l Lock) Over(reg Registry) Registry { return &locked{lock: l, next: reg, open: true} }

// Only is a Registry in which exists only what is in the lock; everything else
// is a *NotLockedError. The configs of images are read from reg, by digest; without
// one (nil) the lock's word counts for them, and layers are not known.
func (l Lock) Only(reg Registry) Registry { return &locked{lock: l, next: reg} }

// locked is a Registry with a lock before it.
type locked struct {
	lock Lock
	next Registry // or nil
	open bool     // images may come from next
}

// withoutNetwork leaves nothing of a Registry but a lock.
func withoutNetwork(reg Registry) Registry {
	if l, ok := reg.(*locked); ok {
		return l.lock.Only(nil)
	}
	return Lock{}.Only(nil)
}

func (l *locked) Image(ctx context.Context, ref string) (Image, error) {
	if image, ok := l.lock.Find(ref); ok {
		return image.Image, nil
	}
	if l.open && l.next != nil {
		return l.next.Image(ctx, ref)
	}
	return Image{}, &NotLockedError{Ref: ref}
}

func (l *locked) Config(ctx context.Context, ref, digest string) (Config, error) {
	if l.next != nil {
		return l.next.Config(ctx, ref, digest)
	}
	image, _ := l.lock.Find(ref)
	for _, offer := range image.Offers {
		if offer.Digest == digest {
			return Config{Platform: offer.Platform, Onbuild: image.Onbuild[digest]}, nil
		}
	}
	return Config{}, &NotLockedError{Ref: ref}
}

// NotLockedError says that archbuild.lock does not hold a reference.
type NotLockedError struct{ Ref string }

func (e *NotLockedError) Error() string { return e.Ref + " is not in archbuild.lock" }

// Hint is the one thing to do.
func (e *NotLockedError) Hint() string { return "write it: archbuild lock PATH" }

func isNotLocked(err error) bool { return errors.As(err, new(*NotLockedError)) }
