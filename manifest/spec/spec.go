package spec

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/distribution/reference"
	"gopkg.in/yaml.v3"
)

// Spec is one image to assemble. It is plain data.
type Spec struct {
	// Image is the name of the index, as it was written.
	Image string
	// Tags are further tags in the repository of Image.
	Tags []string
	// Annotations of the index; nil when there are none.
	Annotations map[string]string
	// Entries are what it is made of, in the order written; never empty.
	Entries []Entry
	// Line on which the spec begins; 0 if it comes from flags.
	Line int
}

// Entry is an image that becomes a part of the index: a single image, or an
// index that contributes its children.
type Entry struct {
	Image    string
	Platform Platform
	// Line and Column of the entry; 0 if it comes from flags.
	Line, Column int
}

// Platform is what was written, with every gap left open and nothing
// normalised: arm64/v8 stays arm64 and v8.
type Platform struct {
	OS, Architecture, Variant, OSVersion string
	OSFeatures                           []string
}

// Options say how to read. The zero value is useful.
type Options struct {
	// Name is how messages call the file; "-" is standard input.
	Name string
	// Strict turns every warning into an error.
	Strict bool
	// Env looks a variable up, as os.LookupEnv does; nil means that none is set.
	Env func(string) (string, bool)
}

// tagForm is what registries accept as a tag.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// Parse reads the specs of a file, one for each of its documents, in order; a
// document that holds nothing is passed over. All errors found are returned,
// joined, each an *Error, and then there are no specs: a file is read as a whole
// or not at all. Warnings are returned in either case.
func Parse(source []byte, opts Options) ([]Spec, []Warning, error) {
	r := newReader(opts)
	var specs []Spec
	for _, doc := range r.documents(source) {
		if spec := r.spec(doc); !r.full() {
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 && len(r.errs) == 0 {
		r.fail(text{}, "the file holds no spec", "a spec has image: and manifests:")
	}
	r.overlaps(specs)
	if err := errors.Join(r.errs...); err != nil {
		return nil, r.warnings, err
	}
	return specs, r.warnings, nil
}

// Names are the names that the index is to have, in full, each once: Image, if
// it has a tag, and each of Tags in its repository.
func (s Spec) Names() []string {
	named, err := reference.ParseNormalizedNamed(s.Image)
	if err != nil {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			names, seen[name] = append(names, name), true
		}
	}
	if tagged, ok := named.(reference.Tagged); ok {
		add(reference.TrimNamed(named).Name() + ":" + tagged.Tag())
	}
	for _, tag := range s.Tags {
		add(named.Name() + ":" + tag)
	}
	return names
}

func (r *reader) spec(node *yaml.Node) Spec {
	at := place(node)
	s := Spec{Line: at.line}
	if !isMapping(node) {
		r.mapping(node, specKeys)
		return s
	}
	var image, manifests text
	told := 0
	for _, p := range r.mapping(node, specKeys) {
		switch p.key.text {
		case "image":
			image = r.image(p.value)
			s.Image = image.text
		case "tags":
			s.Tags = r.tags(p.value)
		case "annotations":
			s.Annotations = r.annotations(p.value)
		case "manifests":
			manifests, told = place(p.value), len(r.errs)
			s.Entries = r.entries(p.value)
			told = len(r.errs) - told
		}
	}
	if image.line == 0 {
		r.fail(at, "image: is missing", "name the index: image: registry.example/app:1.0")
	} else if s.Image != "" {
		r.target(s, image)
	}
	if manifests.line == 0 {
		r.fail(at, "manifests: is missing", exampleEntry)
	} else if len(s.Entries) == 0 && told == 0 {
		r.fail(manifests, "manifests: names no image", exampleEntry)
	}
	return s
}

const exampleEntry = "name what the index is made of: manifests: [{image: registry.example/app:1.0-amd64}]"

// target holds a name against what an index can be called.
func (r *reader) target(s Spec, at text) {
	if problem, help := checkTarget(s.Image, len(s.Tags) > 0); problem != "" {
		if at.text != at.written {
			help = "write REPOSITORY:TAG"
		}
		r.fail(at, fmt.Sprintf("image %s %s", quote(at.written), problem), help)
	}
}

// checkTarget tells what is wrong with the name of an index, if anything.
func checkTarget(image string, tags bool) (problem, help string) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", "" // told already
	}
	_, tagged := named.(reference.Tagged)
	_, pinned := named.(reference.Digested)
	switch {
	case pinned:
		return "has a digest, which is only known when the index is made", "name a tag: " + reference.FamiliarName(named) + ":1.0"
	case !tagged && !tags:
		return "has no tag, and there are no further tags", "write " + reference.FamiliarName(named) + ":latest, if that is meant"
	}
	return "", ""
}

// image reads a reference; its line is 0 if there is none.
func (r *reader) image(node *yaml.Node) text {
	s, ok := r.scalar(node)
	switch {
	case s.null:
		return text{} // as if it were not there
	case !ok:
		s.text = "" // told already
	case s.text == "":
		r.fail(s, "the name of an image is empty", "write [REGISTRY/]REPOSITORY[:TAG]")
	default:
		if _, err := reference.ParseNormalizedNamed(s.text); err != nil {
			problem := quote(s.written) + " names no image"
			if s.text == s.written {
				problem += ": " + err.Error() // which shows the text
			}
			r.fail(s, problem, "write [REGISTRY/]REPOSITORY[:TAG], in lower case")
			s.text = ""
		}
	}
	return s
}

func (r *reader) tags(node *yaml.Node) []string {
	var tags []string
	for _, s := range r.sequence(node) {
		if tagForm.MatchString(s.text) {
			tags = append(tags, s.text)
			continue
		}
		r.fail(s, fmt.Sprintf("%s is no tag", quote(s.written)), "write the tag alone, without a repository: letters, digits, _ . and -")
	}
	return tags
}

func (r *reader) annotations(node *yaml.Node) map[string]string {
	var all map[string]string
	for _, p := range r.mapping(node, nil) {
		s, ok := r.scalar(p.value)
		if !ok && !s.null {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[p.key.text] = s.text
	}
	return all
}

func (r *reader) entries(node *yaml.Node) []Entry {
	var entries []Entry
	for _, item := range r.items(node) {
		at := place(item)
		e := Entry{Line: at.line, Column: at.column}
		var image text
		for _, p := range r.mapping(item, entryKeys) {
			if p.key.text == "image" {
				image = r.image(p.value)
				e.Image = image.text
				continue
			}
			e.Platform = r.platform(p.value)
		}
		if image.line == 0 && isMapping(item) {
			r.fail(at, "image: is missing", "name the image of this platform: image: registry.example/app:1.0-amd64")
		}
		if r.full() {
			return nil
		}
		entries = append(entries, e)
	}
	return entries
}

func (r *reader) platform(node *yaml.Node) Platform {
	var p Platform
	for _, pair := range r.mapping(node, platformKeys) {
		if pair.key.text == "osfeatures" {
			for _, feature := range r.sequence(pair.value) {
				p.OSFeatures = append(p.OSFeatures, feature.text)
			}
			continue
		}
		s, _ := r.scalar(pair.value)
		switch pair.key.text {
		case "os":
			p.OS = s.text
		case "architecture":
			p.Architecture = s.text
		case "variant":
			p.Variant = s.text
		case "osversion":
			p.OSVersion = s.text
		}
	}
	return p
}

// overlaps warns of two specs that give one name: the later one takes it away.
func (r *reader) overlaps(specs []Spec) {
	first := map[string]int{}
	for _, s := range specs {
		for _, name := range s.Names() {
			if line, known := first[name]; known {
				r.warn(text{line: s.Line, column: 1}, fmt.Sprintf("%s is also a name of the spec on line %d; this one comes later and keeps it", name, line), "give each spec a name of its own")
			}
			first[name] = cmp.Or(first[name], s.Line)
		}
	}
}
