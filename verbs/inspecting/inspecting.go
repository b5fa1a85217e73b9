// Package inspecting is the verb manifest inspect: what one name stands for, as a document, as a tree, or as
// the bytes that it is.
package inspecting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest/inspect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// Options are what a user can say.
type Options struct {
	outside.World
	// Paths is one name: a reference, a layout, an archive.
	Paths []string
	// Platforms are those to be shown, all of them if there is none.
	Platforms []string
}

// Document tells what one name stands for. The error says what of it is damaged;
// the document then has the rest.
func Document(ctx context.Context, opts Options) (inspect.Document, error) {
	name, opened, only, err := opts.open(ctx)
	if err != nil {
		return inspect.Document{}, err
	}
	document, err := inspect.Read(ctx, name, opened, only)
	return document, errors.Join(err, opened.Close())
}

// Raw gives the exact bytes of what one name stands for or, with one
// platform, of the image for it.
func Raw(ctx context.Context, opts Options) ([]byte, error) {
	name, opened, only, err := opts.open(ctx)
	if err != nil {
		return nil, err
	}
	var one platform.Platform
	if len(only) > 1 {
		return nil, errors.Join(&wrong.Usage{errors.New("--raw gives one manifest, --platform names several"), "name one platform"}, opened.Close())
	}
	if len(only) == 1 {
		one = only[0]
	}
	raw, err := inspect.Raw(ctx, name, opened, one)
	return raw, errors.Join(err, opened.Close())
}

func (o Options) open(ctx context.Context) (string, *imagetree.Opened, []platform.Platform, error) {
	client, _, err := o.Client(false)
	if err != nil {
		return "", nil, nil, err
	}
	only, err := outside.ParsePlatforms("--platform", o.Platforms, platform.Host())
	if err != nil {
		return "", nil, nil, err
	}
	if len(o.Paths) != 1 {
		return "", nil, nil, &wrong.Usage{errors.New("inspect takes one name"), "name a reference, a layout or an archive"}
	}
	opened, err := imagetree.Open(ctx, o.Paths[0], client)
	return o.Paths[0], opened, only, outside.Mistyped(err)
}

// WriteText prints a document as a tree.
func WriteText(w io.Writer, d inspect.Document) error {
	lines := []string{fmt.Sprintf("%s, %s", kindOf(d.MediaType), ui.Size(d.Size))}
	if d.ArtifactType != "" {
		lines = append(lines, "artifact type "+d.ArtifactType)
	}
	lines = append(lines, annotationLines(d.Annotations)...)
	var branches []branch
	for _, image := range d.Images {
		branches = append(branches, imageBranch(image))
	}
	for _, n := range d.Indexes {
		branches = append(branches, branch{"nested index " + n.Digest, append(annotationLines(n.Annotations), problemLines(n.Problems)...)})
	}
	for _, o := range d.Others {
		branches = append(branches, otherBranch(o))
	}
	for _, r := range d.Referrers {
		branches = append(branches, branch{"referrer " + r.Digest, []string{referrerLine(r)}})
	}
	return writeTree(w, branch{d.Name + "  " + d.Digest, lines}, branches)
}

// branch is a headline with what belongs to it.
type branch struct {
	head  string
	lines []string
}

func writeTree(w io.Writer, root branch, branches []branch) error {
	var b strings.Builder
	fmt.Fprintln(&b, ui.Line(root.head))
	for _, line := range root.lines {
		stem := "│ "
		if len(branches) == 0 {
			stem = "  "
		}
		fmt.Fprintln(&b, stem+" "+ui.Line(line))
	}
	for i, one := range branches {
		knot, stem := "├─ ", "│    "
		if i == len(branches)-1 {
			knot, stem = "└─ ", "     "
		}
		fmt.Fprintln(&b, knot+ui.Line(one.head))
		for _, line := range one.lines {
			fmt.Fprintln(&b, stem+ui.Line(line))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func imageBranch(image inspect.Image) branch {
	name := image.Platform
	if name == "" {
		name = "no platform"
	}
	size := fmt.Sprintf("%s in %d layer%s", ui.Size(image.Size), image.Layers, ui.Plural(image.Layers))
	if image.Created != nil {
		size += ", created " + image.Created.UTC().Format(time.RFC3339)
	}
	b := branch{name + "  " + image.Digest, []string{size}}
	if image.Base != nil {
		b.lines = append(b.lines, "base "+baseText(*image.Base)+", says the "+image.Base.From)
	}
	if len(image.Materials) > 0 {
		var names []string
		for _, m := range image.Materials {
			names = append(names, baseText(m))
		}
		b.lines = append(b.lines, "made from "+short(strings.Join(names, ", "))+", says the provenance")
	}
	for _, a := range image.Attestations {
		b.lines = append(b.lines, statementText(a.Statements)+" for "+name+": "+a.Digest)
		b.lines = append(b.lines, problemLines(a.Problems)...)
	}
	for _, r := range image.Referrers {
		b.lines = append(b.lines, "referrer "+r.Digest+": "+referrerLine(r))
	}
	if image.Index != "" {
		b.lines = append(b.lines, "listed by nested index "+image.Index)
	}
	both := maps.Clone(image.DescriptorAnnotations)
	if both == nil {
		both = map[string]string{}
	}
	maps.Copy(both, image.Annotations)
	b.lines = append(b.lines, annotationLines(both)...)
	b.lines = append(b.lines, problemLines(image.Problems)...)
	return b
}

func otherBranch(o inspect.Other) branch {
	b := branch{head: o.Kind + " " + o.Digest}
	what := o.Type
	if what == "" {
		what = o.MediaType
	}
	if o.SpeaksOf != "" {
		what = statementText(o.Statements) + " for " + o.SpeaksOf + ", which is not listed here"
	} else if len(o.Statements) > 0 {
		what = statementText(o.Statements)
	}
	b.lines = append([]string{what + ", " + ui.Size(o.Size)}, problemLines(o.Problems)...)
	return b
}

func statementText(list []inspect.Statement) string {
	var names []string
	for _, s := range list {
		names = append(names, s.Is)
	}
	if len(names) == 0 {
		return "attestation"
	}
	return short(strings.Join(names, ", "))
}

func baseText(b inspect.Base) string {
	switch {
	case b.Name == "":
		return b.Digest
	case b.Digest == "" || strings.Contains(b.Name, b.Digest):
		return b.Name
	}
	return b.Name + "@" + b.Digest
}

func referrerLine(r inspect.Referrer) string {
	what := r.Is
	if what == "" {
		what = r.ArtifactType
	}
	if what == "" {
		what = "of no type"
	}
	return what + ", " + ui.Size(r.Size)
}

const (
	shownAnnotations = 30
	shownCharacters  = 200
)

// annotationLines shows annotations by key, a bounded part of each.
func annotationLines(all map[string]string) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(lines) == shownAnnotations {
			return append(lines, fmt.Sprintf("and %d more annotations; --json shows all", len(all)-shownAnnotations))
		}
		lines = append(lines, short(key)+": "+short(all[key]))
	}
	return lines
}

func problemLines(problems []string) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, "problem: "+p)
	}
	return lines
}

// short cuts a text that would fill the screen.
func short(text string) string {
	if len(text) <= shownCharacters {
		return text
	}
	cut := shownCharacters
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// kindOf names the media types that there are.
func kindOf(mediaType string) string {
	switch mediaType {
	case "application/vnd.oci.image.index.v1+json":
		return "OCI index"
	case "application/vnd.oci.image.manifest.v1+json":
		return "OCI manifest"
	case "application/vnd.docker.distribution.manifest.list.v2+json":
		return "Docker manifest list"
	case "application/vnd.docker.distribution.manifest.v2+json":
		return "Docker manifest"
	}
	return mediaType
}
