package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tonistiigi/go-csvvalue"
)

// OutputType is what an image is delivered as.
type OutputType string

// The types that archbuild writes, named as BuildKit's exporters.
const (
	// TypeOCI is an OCI layout, in a tar archive or as a folder.
	TypeOCI OutputType = "oci"
	// TypeLocal is a folder of plain files.
	TypeLocal OutputType = "local"
	// TypeTar is a tar archive of plain files.
	TypeTar OutputType = "tar"
	// TypeDocker is an image in the container engine of this machine, or with dest=
	// the archive that `docker save` would make of it.
	TypeDocker OutputType = "docker"
	// TypeImage is an image in a registry.
	TypeImage OutputType = "image"
	// TypeCacheOnly delivers nothing: the build itself was wanted.
	TypeCacheOnly OutputType = "cacheonly"
)

// Output is one --output, read.
type Output struct {
	Type OutputType
	// Dest is a path, or - for stdout; empty for an image and for what is loaded.
	Dest string
	// Context is the Docker context whose engine an image is loaded into; empty means
	// the engine that is found.
	Context string
	// Folder is set by tar=false: an OCI layout that is no archive.
	Folder bool
	// Split is platform-split=: nil means subfolders if there are several platforms.
	Split *bool
	// Names are those of name=, for a build without tags.
	Names []string
	// Push is set for images; ByDigest pushes no tag.
	Push, ByDigest bool
	// Exporter holds what only BuildKit can do, such as compression.
	Exporter map[string]string
	// Annotations are those of annotation…KEY=.
	Annotations Annotations
}

// Stdout reports whether the output goes there. Callers refuse a terminal.
func (o Output) Stdout() bool { return o.Dest == "-" }

// Loads reports whether the output is an image in an engine's store.
func (o Output) Loads() bool { return o.Type == TypeDocker && o.Dest == "" }

// namePlaceholder stands for the name of a build when several are made at once.
const namePlaceholder = "{name}"

// HasName reports whether the destination, or for an image every name, holds
// {name}, so that several builds do not write over one another.
func (o Output) HasName() bool {
	if o.Type == TypeImage || o.Loads() {
		return !slices.ContainsFunc(o.Names, func(n string) bool { return !strings.Contains(n, namePlaceholder) })
	}
	return o.Type == TypeCacheOnly || strings.Contains(o.Dest, namePlaceholder)
}

// Named gives the names that the image gets in this output: as in buildx the
// tags of the build if there are any, else those of name=.
func (o Output) Named(tags []string) []string {
	if len(tags) > 0 {
		return tags
	}
	return o.Names
}

// Expand is Expand for the destination and the names.
func (o Output) Expand(name string) Output {
	o.Dest = Expand(o.Dest, name)
	o.Names = slices.Clone(o.Names)
	for i, n := range o.Names {
		o.Names[i] = Expand(n, name)
	}
	return o
}

// Expand replaces {name} in a flag's text: tags, destinations, --iidfile.
func Expand(text, name string) string { return strings.ReplaceAll(text, namePlaceholder, name) }

const typeHelp = "write type=TYPE,KEY=VALUE,… where TYPE is oci, local, tar, docker or image"

// ParseOutput reads one --output in buildx's syntax: TYPE and options as
// comma-separated KEY=VALUE with CSV quoting, a bare path (type=local), or -
// (type=tar to stdout). Anything unknown is an *OutputError.
func ParseOutput(text string) (Output, error) {
	switch text {
	case "":
		return Output{}, &OutputError{text, "has no type=", typeHelp}
	case "-":
		return Output{Type: TypeTar, Dest: "-"}, nil
	}
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return Output{}, &OutputError{text, "is not comma-separated text: " + err.Error(), `write type=TYPE,KEY=VALUE,… and quote a pair that holds a comma: "name=a,b"`}
	}
	if len(fields) == 1 && fields[0] == text && !strings.HasPrefix(text, "type=") {
		return Output{Type: TypeLocal, Dest: text}, nil
	}
	pairs, problem := parsePairs(fields)
	if problem != "" {
		return Output{}, &OutputError{text, problem, typeHelp}
	}
	o, err := newOutput(pairs)
	if e := (*OutputError)(nil); errors.As(err, &e) {
		e.Input = text
	}
	return o, err
}

// pair is a KEY=VALUE of an output.
type pair struct{ key, value string }

// parsePairs reads the fields, type first. Keys are folded to lower case as
// buildx does, but for the name of an annotation.
func parsePairs(fields []string) (pairs []pair, problem string) {
	typ := ""
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, fmt.Sprintf("%q has no =", field)
		}
		key = strings.TrimSpace(key)
		if lower := strings.ToLower(key); !strings.HasPrefix(lower, "annotation") {
			key = lower
		}
		if slices.ContainsFunc(pairs, func(p pair) bool { return p.key == key }) || key == "type" && typ != "" {
			return nil, fmt.Sprintf("%s= is given twice", key)
		}
		if key == "type" {
			typ = value
			continue
		}
		pairs = append(pairs, pair{key, value})
	}
	if typ == "" {
		return nil, "has no type="
	}
	return append([]pair{{"type", typ}}, pairs...), ""
}

// newOutput makes an output of pairs whose first is the type.
func newOutput(pairs []pair) (Output, error) {
	o := Output{Type: OutputType(pairs[0].value)}
	if o.Type == "registry" {
		o.Type, o.Push = TypeImage, true
	}
	known, ok := keys[o.Type]
	if !ok {
		return Output{}, &OutputError{Problem: fmt.Sprintf("unknown type %q", o.Type), Help: helpForType(o.Type)}
	}
	for _, p := range pairs[1:] {
		if err := o.set(p, known); err != nil {
			return Output{}, err
		}
	}
	return o.check()
}

// set takes over one pair.
func (o *Output) set(p pair, known []string) error {
	if strings.HasPrefix(p.key, "annotation") && slices.Contains(known, "name") {
		return o.annotate(p)
	}
	if !slices.Contains(known, p.key) {
		return &OutputError{Problem: fmt.Sprintf("unknown key %q", p.key), Help: helpForKey(o.Type, p.key)}
	}
	var err error
	switch p.key {
	case "dest":
		o.Dest = p.value
	case "context":
		o.Context = p.value
	case "name":
		o.Names = splitNames(p.value)
	case "tar":
		var tar bool
		tar, err = boolean(p)
		o.Folder = !tar
	case "push":
		o.Push, err = boolean(p)
	case "push-by-digest":
		o.ByDigest, err = boolean(p)
	case "platform-split":
		var b bool
		b, err = boolean(p)
		o.Split = &b
	case "name-canonical":
		_, err = boolean(p)
	case "mode":
		if p.value != "copy" {
			return &OutputError{Problem: fmt.Sprintf("mode=%s is not supported", p.value), Help: "files are added to the folder (mode=copy); empty it before the build if it must hold nothing else"}
		}
	default:
		if o.Exporter == nil {
			o.Exporter = map[string]string{}
		}
		o.Exporter[p.key], err = exporterValue(p)
	}
	return err
}

// annotate reads BuildKit's spelling: annotation[-LEVEL][[PLATFORM]].KEY.
func (o *Output) annotate(p pair) error {
	head, key, ok := strings.Cut(p.key, ".")
	level := strings.TrimPrefix(strings.TrimPrefix(head, "annotation"), "-")
	if strings.HasPrefix(level, "[") || level == "" {
		level = string(LevelManifest) + level
	}
	list, err := ParseAnnotations([]string{level + ":" + key + "=" + p.value})
	if !ok || err != nil {
		return &OutputError{Problem: fmt.Sprintf("cannot read %q", p.key), Help: "write annotation.KEY=VALUE or annotation-LEVEL[PLATFORM].KEY=VALUE"}
	}
	o.Annotations = append(o.Annotations, list...)
	return nil
}

func boolean(p pair) (bool, error) {
	if p.value == "" {
		return true, nil
	}
	b, err := strconv.ParseBool(p.value)
	if err != nil {
		return false, &OutputError{Problem: fmt.Sprintf("%s=%s is neither true nor false", p.key, p.value), Help: fmt.Sprintf("write %s=true or %s=false", p.key, p.key)}
	}
	return b, nil
}

func splitNames(text string) []string {
	var names []string
	for _, n := range strings.Split(text, ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// check completes an output and refuses what cannot be written.
func (o Output) check() (Output, error) {
	switch {
	case o.Dest == "" && (o.Type == TypeTar || o.Type == TypeOCI && !o.Folder):
		o.Dest = "-"
	case o.Dest == "" && (o.Type == TypeLocal || o.Type == TypeOCI):
		return o, &OutputError{Problem: "dest= is missing", Help: "name the folder to write: dest=FOLDER"}
	case o.Dest == "-" && (o.Type == TypeLocal || o.Folder):
		return o, &OutputError{Problem: "a folder cannot be written to stdout", Help: "write dest=FOLDER, or type=tar for a stream"}
	case o.Context != "" && !o.Loads():
		return o, &OutputError{Problem: "context= names an engine to load into, and dest= a file to write", Help: "leave one of them out"}
	case o.Type == TypeImage && !o.Push:
		return o, &OutputError{Problem: "an image goes to a registry or nowhere", Help: "add push=true, or write type=oci,dest=FILE"}
	}
	return o, nil
}

// String writes the output so that ParseOutput reads it again.
func (o Output) String() string {
	fields := []string{"type=" + string(o.Type)}
	add := func(key, value string) { fields = append(fields, key+"="+value) }
	if o.Dest != "" {
		add("dest", o.Dest)
	}
	if o.Context != "" {
		add("context", o.Context)
	}
	if o.Folder {
		add("tar", "false")
	}
	if o.Split != nil {
		add("platform-split", strconv.FormatBool(*o.Split))
	}
	if len(o.Names) > 0 {
		add("name", strings.Join(o.Names, ","))
	}
	if o.Push {
		add("push", "true")
	}
	if o.ByDigest {
		add("push-by-digest", "true")
	}
	for _, key := range slices.Sorted(maps.Keys(o.Exporter)) {
		add(key, o.Exporter[key])
	}
	for _, a := range o.Annotations {
		key := "annotation-" + string(a.Level)
		if a.Platform.OS != "" {
			key += "[" + a.Platform.String() + "]"
		}
		add(key+"."+a.Key, a.Value)
	}
	for i, f := range fields {
		if strings.ContainsAny(f, ",\"\r\n") || strings.TrimSpace(f) != f {
			fields[i] = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
	}
	return strings.Join(fields, ",")
}
