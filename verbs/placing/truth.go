package placing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/placement"
	placefiles "github.com/archbuild/archbuild/placement/files"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// askedAtOnce is how many images are looked at at the same time.
const askedAtOnce = 8

// ImageError says that an image of a service could not be looked at.
type ImageError struct {
	// Services that run it, "web (compose.yaml:12)".
	Services []string
	Image    string
	Err      error
}

func (e *ImageError) Error() string {
	return fmt.Sprintf("%s: %v", strings.Join(e.Services, ", "), e.Err)
}

// Unwrap gives the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// Hint is the cause's own.
func (e *ImageError) Hint() string {
	if hint := wrong.Hint(e.Err); hint != "" {
		return hint
	}
	return "look whether the image is there: archbuild manifest inspect " + e.Image
}

// truth asks for each image once, all at the same time, and gives what could be looked at.
func (p *placing) truth(ctx context.Context, client *registry.Client) (map[string]placement.Image, error) {
	var names []string
	users := map[string][]string{}
	for _, s := range p.services {
		for _, c := range s.Containers {
			if users[c.Image] == nil {
				names = append(names, c.Image)
			}
			user := s.Name
			if c.At != "" {
				user += " (" + c.At + ")"
			}
			users[c.Image] = append(users[c.Image], user)
		}
	}
	checker, err := verify.NewChecker(verify.CheckOptions{Memory: verify.Folder{Dir: string(p.Kept().Verdicts)}, Allow: p.VerifyAllow})
	if err != nil {
		return nil, err
	}
	found, failed := make([]placement.Image, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i, name := range names {
		group.Go(func() error {
			found[i], failed[i] = p.image(ctx, client, checker, name)
			return nil
		})
	}
	_ = group.Wait() // it never fails: every image is asked for
	images := map[string]placement.Image{}
	unbuilt := &UnbuiltError{}
	for i, name := range names {
		if failed[i] == nil {
			images[name] = found[i]
			continue
		}
		if one := new(UnbuiltError); errors.As(failed[i], &one) {
			if failed[i], unbuilt.Silent = nil, unbuilt.Silent || one.Silent; one.Named {
				unbuilt.Services, unbuilt.Named = append(unbuilt.Services, users[name]...), true
			} else {
				unbuilt.Nameless = append(unbuilt.Nameless, users[name]...)
			}
			continue
		}
		failed[i] = &ImageError{users[name], name, failed[i]}
		if p.services[0].At == "" {
			failed[i] = outside.Mistyped(failed[i])
		}
	}
	if len(unbuilt.Services)+len(unbuilt.Nameless) > 0 {
		for _, f := range p.files {
			unbuilt.Files = append(unbuilt.Files, f.Name)
		}
		failed = append(failed, unbuilt)
	}
	return images, errors.Join(failed...)
}

// image looks at one: what a registry has, else what its file says that it is built for.
func (p *placing) image(ctx context.Context, client *registry.Client, checker *verify.Checker, name string) (placement.Image, error) {
	build, built := p.build(name)
	if built && !build.Named {
		return toBuild(name, build)
	}
	word := name
	if !p.local[name] {
		word = "docker://" + name // a file names no folder of this machine
	}
	image, err := p.look(ctx, client, checker, name, word)
	// Several registries answer that access is refused where there is nothing.
	if missing := new(registry.Error); built && errors.As(err, &missing) && (missing.NotFound() || missing.MirrorsLackIt() || missing.Unauthorized()) {
		image, err = toBuild(name, build)
		if unbuilt := new(UnbuiltError); errors.As(err, &unbuilt) {
			unbuilt.Silent = missing.MirrorsLackIt()
		}
	}
	return image, err
}

// build is what the files say on how an image is built.
func (p *placing) build(name string) (placefiles.Build, bool) {
	for _, f := range p.files {
		if b, ok := f.Builds[name]; ok {
			return b, true
		}
	}
	return placefiles.Build{}, false
}

// UnbuiltError says that images are neither pushed nor told what they are built for.
type UnbuiltError struct {
	// Services that run them, "web (compose.yaml:12)", and the Files that say how they are built. Nameless are those without an
	// image:, of which no registry can be asked.
	Services, Nameless, Files []string
	// Named says that one of them has a name to be pushed under, and Silent that a registry did not answer, whose mirrors lack it.
	Named, Silent bool
}

func (e *UnbuiltError) Error() string {
	var said []string
	count := 0
	tell := func(services []string, one, several string) {
		switch count += len(services); len(services) {
		case 0:
		case 1:
			said = append(said, services[0]+" "+one)
		default:
			said = append(said, ui.Few(services)+" "+several)
		}
	}
	where := "in no registry yet"
	if e.Silent {
		where = "in no registry that answers"
	}
	tell(e.Services, "is "+where, "are "+where)
	tell(e.Nameless, "has no image: to be looked for", "have no image: to be looked for")
	they := "it is"
	if count > 1 {
		they = "they are"
	}
	return fmt.Sprintf("%s, and build.platforms does not say what %s built for", strings.Join(said, ", "), they)
}

// Hint is what to do.
func (e *UnbuiltError) Hint() string {
	if !e.Named || len(e.Files) != 1 || e.Files[0] == "standard input" {
		return "list them: build.platforms: [linux/amd64, linux/arm64]; or give each an image: in a registry, build and push it, and ask again"
	}
	return fmt.Sprintf("build and push first: archbuild %s --platform linux/amd64,linux/arm64 --push; or list them: build.platforms: [linux/amd64, linux/arm64]", e.Files[0])
}

// toBuild is an image as it will be.
func toBuild(name string, b placefiles.Build) (placement.Image, error) {
	image := placement.Image{Name: name, From: "build"}
	for _, word := range b.Platforms {
		one, err := platform.Parse(word)
		if err != nil {
			return image, &wrong.File{fmt.Errorf("%s: build.platforms: %w", b.At, err), wrong.Hint(err)}
		}
		image.Held = append(image.Held, placement.Held{Platform: one})
	}
	if len(image.Held) == 0 {
		return image, &UnbuiltError{Named: b.Named}
	}
	return image, nil
}

// nothing is a platform that no image has: a tree read for it has its indexes, and of images only those whose platform
// no index tells.
var nothing = []platform.Platform{{OS: "none", Arch: "none"}}

// look reads what stands under a name, and with Audit what is in it.
func (p *placing) look(ctx context.Context, client *registry.Client, checker *verify.Checker, name, word string) (placement.Image, error) {
	image := placement.Image{Name: name, From: "index"}
	opened, err := imagetree.Open(ctx, word, client)
	if err != nil {
		return image, err
	}
	defer opened.Close()
	root, err := imagetree.Read(ctx, opened, opened.Root, imagetree.Options{Platforms: nothing})
	if err != nil {
		return image, err
	}
	image.Digest = opened.Root.Digest.String()
	if root.Kind == imagetree.Image {
		image.From = "config"
	}
	bad := map[platform.Platform]string{}
	if p.Audit {
		if bad, err = audit(ctx, checker, name, opened); err != nil {
			return image, err
		}
	}
	for _, on := range root.Platforms() {
		image.Held = append(image.Held, placement.Held{Platform: on, Bad: bad[on]})
	}
	if len(image.Held) == 0 {
		return image, &verify.EmptyError{Name: name}
	}
	return image, nil
}

// audit looks into every image, and says why those that cannot run cannot.
func audit(ctx context.Context, checker *verify.Checker, name string, opened *imagetree.Opened) (map[platform.Platform]string, error) {
	result, err := checker.Check(ctx, name, opened)
	if err != nil {
		return nil, err
	}
	bad := map[platform.Platform]string{}
	for _, f := range result.Findings {
		on, err := platform.Parse(f.Platform)
		if f.Severity == verify.SeverityError && err == nil && bad[on] == "" {
			bad[on] = f.Message
		}
	}
	return bad, nil
}
