package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/platform"
)

// Args are the flags that stand for a spec. Each item of a list may be several,
// with commas between them, as manifest-tool takes them; an empty item is none.
type Args struct {
	// Platforms to name in Template, each os/arch or os/arch/variant.
	Platforms []string
	// Template is the name of the image of one platform, with placeholders.
	Template string
	// Target is the name of the index.
	Target string
	// Tags are further tags in the repository of Target.
	Tags []string
	// Annotations of the index, each KEY=VALUE. A VALUE with a comma needs a file.
	Annotations []string
}

// FromArgs makes a spec of flags. In the template, ARCH, OS and VARIANT are
// replaced by the parts of each platform, a variant that is not there by
// nothing.
//
// manifest-tool replaces the first occurrence of each, whatever is around it.
// FromArgs replaces every one, and tells words apart: a placeholder that stands
// in a word of placeholders (ARCH, OSARCH, ARCHVARIANT; a word is a run of
// capitals) leaves those alone that are a part of another word (ARCHIVE). One
// that never stands like this is replaced within the word, as manifest-tool
// does. So a template that holds each placeholder once gives the same names
// here as there; for every other there is a warning.
//
// All errors found are returned, joined, each an *ArgError.
func FromArgs(args Args) (Spec, []Warning, error) {
	r := &flags{}
	s := Spec{Image: args.Target, Tags: r.tags(args.Tags), Annotations: r.annotations(args.Annotations)}
	r.required("platforms", strings.Join(args.Platforms, ""))
	r.required("template", args.Template)
	if r.required("target", args.Target) && r.image("target", args.Target) {
		if problem, help := checkTarget(args.Target, len(s.Tags) > 0); problem != "" {
			r.fail("target", quote(args.Target)+" "+problem, help)
		}
	}
	template := readTemplate(args.Template)
	for _, text := range r.list("platforms", args.Platforms) {
		p, ok := r.platform(text)
		if !ok || args.Template == "" {
			continue
		}
		image := template.fill(p)
		if r.image("template", image) {
			s.Entries = append(s.Entries, Entry{Image: image, Platform: p})
		}
	}
	if err := errors.Join(r.errs...); err != nil {
		return Spec{}, template.warnings(), err
	}
	return s, template.warnings(), nil
}

// flags reads flags and collects errors.
type flags struct{ errs []error }

func (r *flags) fail(flag, problem, help string) {
	r.errs = append(r.errs, &ArgError{Flag: flag, Problem: problem, Help: help})
}

func (r *flags) required(flag, value string) bool {
	if value == "" {
		help := map[string]string{
			"platforms": "name the platforms: --platforms linux/amd64,linux/arm64",
			"template":  "name the image of one platform: --template registry.example/app:1.0-ARCH",
			"target":    "name the index: --target registry.example/app:1.0",
		}[flag]
		r.fail(flag, "is missing", help)
	}
	return value != ""
}

// list splits at commas.
func (r *flags) list(flag string, items []string) []string {
	var list []string
	for _, item := range items {
		if item == "" {
			continue
		}
		for _, piece := range strings.Split(item, ",") {
			piece = strings.TrimSpace(piece)
			if piece == "" {
				r.fail(flag, fmt.Sprintf("%s has an empty item", quote(item)), "write the items with one comma between them")
				continue
			}
			list = append(list, piece)
		}
	}
	return list
}

func (r *flags) image(flag, image string) bool {
	_, err := reference.ParseNormalizedNamed(image)
	if err == nil {
		return true
	}
	help := "write [REGISTRY/]REPOSITORY[:TAG], in lower case"
	if flag == "template" {
		help += ", with ARCH, OS and VARIANT where the platforms differ; put no separator before VARIANT, as not every platform has one"
	}
	r.fail(flag, fmt.Sprintf("%s names no image: %v", quote(image), err), help)
	return false
}

func (r *flags) tags(items []string) []string {
	var tags []string
	for _, tag := range r.list("tags", items) {
		if !tagForm.MatchString(tag) {
			r.fail("tags", fmt.Sprintf("%s is no tag", quote(tag)), "write the tag alone, without a repository: letters, digits, _ . and -")
			continue
		}
		tags = append(tags, tag)
	}
	return tags
}

func (r *flags) annotations(items []string) map[string]string {
	var all map[string]string
	for _, item := range r.list("annotations", items) {
		key, value, ok := strings.Cut(item, "=")
		_, twice := all[key]
		switch {
		case !ok || key == "":
			r.fail("annotations", fmt.Sprintf("%s is not KEY=VALUE", quote(item)), "write KEY=VALUE,KEY=VALUE; a value with a comma goes into a spec file, under annotations:")
		case twice && all[key] != value:
			r.fail("annotations", fmt.Sprintf("%s is given twice", quote(key)), "keep one of them")
		case all == nil:
			all = map[string]string{key: value}
		default:
			all[key] = value
		}
	}
	return all
}

var (
	platformPart = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
	// otherSystems are those that Go compiles for and package platform has no names for.
	otherSystems = []string{"aix", "android", "dragonfly", "illumos", "ios", "js", "netbsd", "openbsd", "plan9", "solaris", "wasip1"}
)

// platform reads os/arch[/variant] and leaves it as it was written.
func (r *flags) platform(text string) (Platform, bool) {
	parts := strings.Split(text, "/")
	known, err := platform.Parse(text)
	help := "write os/arch or os/arch/variant, for example linux/arm64 or linux/arm/v7"
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		help = hinted.Hint()
	}
	if err == nil {
		help = fmt.Sprintf("write %s", known)
	}
	good := len(parts) == 2 || len(parts) == 3
	for _, part := range parts {
		good = good && platformPart.MatchString(part)
	}
	if good && !slices.Contains(otherSystems, parts[0]) {
		good = err == nil && known.OS == parts[0] && known.Arch == parts[1]
	}
	if !good {
		r.fail("platforms", fmt.Sprintf("%s is not a platform in the form os/arch or os/arch/variant", quote(text)), help)
		return Platform{}, false
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, true
}
