package template

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// balena's Dockerfile.template holds placeholders that balena's tools fill in
// before they build. In a reference they are evaluated for the platform that
// the image has to serve; elsewhere (Template.Placeholders) they are filled in, as
// balena does, for the platform that is built: see Fillings.
//
// Which names there are: https://docs.balena.io/learn/develop/dockerfile/#dockerfile-templates

// byPlaceholder is what Use.Rule says of them.
const byPlaceholder = "placeholder"

// placeholder matches %%NAME%%.
var placeholder = regexp.MustCompile(`%%[A-Z][A-Z0-9_]*%%`)

// HasPlaceholder says whether a text holds a %%NAME%%, which BuildKit cannot read.
func HasPlaceholder(text string) bool { return placeholder.MatchString(text) }

// balenaArchitectures are balena's names of architectures.
var balenaArchitectures = map[platform.Platform]string{
	{OS: "linux", Arch: "amd64"}:              "amd64",
	{OS: "linux", Arch: "386"}:                "i386",
	{OS: "linux", Arch: "arm64"}:              "aarch64",
	{OS: "linux", Arch: "arm", Variant: "v7"}: "armv7hf",
	{OS: "linux", Arch: "arm", Variant: "v6"}: "rpi",
}

// Placeholder is a %%NAME%% in an instruction, outside of references.
type Placeholder struct {
	Name string
	Line int
	// Where is the instruction it stands in: "RUN".
	Where string
}

// findPlaceholders lists those outside of references, the comments left out: of
// several equal ones in a row that stand in one line, the first.
func (t *Template) findPlaceholders() {
	for p := range t.placeholders {
		if n := len(t.Placeholders); n == 0 || t.Placeholders[n-1] != p {
			t.Placeholders = append(t.Placeholders, p)
		}
	}
	t.filled = len(t.Placeholders) > 0 && (strings.HasSuffix(t.Name, ".template") ||
		slices.ContainsFunc(t.References, func(r Reference) bool { return placeholder.MatchString(r.Text) }))
}

// placeholders gives each with its span.
func (t *Template) placeholders(yield func(Placeholder, Span) bool) {
	if !bytes.Contains(t.Source, []byte("%%")) {
		return
	}
	next := 0
	for i := range t.instructions {
		in := &t.instructions[i]
		line, counted := in.first, in.begin
		for _, at := range placeholder.FindAllIndex(t.Source[in.begin:in.end], -1) {
			start, end := in.begin+at[0], in.begin+at[1]
			for next < len(t.References) && t.References[next].Span.End < end {
				next++
			}
			if next < len(t.References) && t.References[next].Span.Start <= start {
				continue
			}
			line += bytes.Count(t.Source[counted:start], []byte("\n"))
			counted = start
			found := Placeholder{Name: string(t.Source[start+2 : end-2]), Line: line, Where: strings.ToUpper(t.nodes[i].Value)}
			if !yield(found, Span{start, end}) {
				return
			}
		}
	}
}

// fill puts values in place of the placeholders in a use's image.
func (v *view) fill(use *Use) {
	if !strings.Contains(use.Image, "%%") || use.Problem != nil || use.Kind == StageKind {
		return
	}
	var missing string
	filled := placeholder.ReplaceAllStringFunc(use.Image, func(text string) string {
		name := strings.Trim(text, "%")
		value, guessed := v.placeholder(name, use.Platform)
		if value == "" && missing == "" {
			missing = name
		}
		use.Guessed = use.Guessed || guessed
		return value
	})
	if missing != "" {
		use.Kind, use.Target = Variable, -1
		message := fmt.Sprintf("%s %s: nothing says what %%%%%s%%%% is for %s", v.References[use.Reference].Where, use.Image, missing, use.Platform)
		use.Problem = v.problem(use.Reference, message, fmt.Sprintf("add --build-arg %s:%s=VALUE", use.Platform, missing))
		return
	}
	if filled != use.Image {
		use.Written, use.Image, use.Rule = use.Image, filled, byPlaceholder
	}
}

// placeholder gives the value of one: that of the build argument of its name,
// else what the platform says. A machine's name is more than a platform says;
// balena has an image of each architecture's name beside those of the machines,
// so that is guessed.
func (v *view) placeholder(name string, p platform.Platform) (value string, guessed bool) {
	if given, ok := v.env.Args[name]; ok {
		return given, false
	}
	p.OSVersion = ""
	arch, ok := balenaArchitectures[p]
	if p.Arch == "amd64" && !ok && p.OS == "linux" { // amd64/v3
		arch = "amd64"
	}
	switch strings.TrimPrefix(strings.TrimPrefix(name, "BALENA_"), "RESIN_") {
	case "ARCH":
		return arch, false
	case "MACHINE_NAME":
		return arch, true
	}
	return "", false
}
