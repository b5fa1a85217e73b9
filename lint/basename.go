package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// oneArchitecture is the word for an architecture in an image's name, if there are
// words for one alone. The host says nothing, nor does a digest.
func oneArchitecture(image string) (arch.Word, bool) {
	name, _, _ := strings.Cut(image, "@")
	if host, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		name = rest
	}
	if strings.Contains(name, "qemu") {
		return arch.Word{}, false // an emulator of that machine
	}
	var found []arch.Word
	for _, w := range arch.Find(name) {
		if loose[strings.ToLower(w.Text)] && !standsAlone(name, w) {
			continue
		}
		if len(found) > 0 && found[0].Arch != w.Arch {
			return arch.Word{}, false
		}
		found = append(found, w)
	}
	if len(found) == 0 {
		return arch.Word{}, false
	}
	return found[0], true
}

// loose are words that mean an architecture only where they end a name or a tag, or are the whole of a part.
var loose = map[string]bool{"arm": true, "x86": true, "x64": true, "386": true, "64bit": true, "32bit": true, "64-bit": true, "32-bit": true, "linux64": true, "linux32": true}

func standsAlone(name string, w arch.Word) bool {
	return w.End == len(name) || strings.IndexByte("/:", name[w.End]) >= 0
}

// platformOf is the platform that a word names.
func platformOf(w arch.Word) platform.Platform {
	name, variant, _ := strings.Cut(w.Arch, "/")
	return platform.Platform{OS: "linux", Arch: name, Variant: variant}
}

// declared finds the ARG before the first FROM whose default brings a word into a text.
func (s *subject) declared(text, word string) (template.Declared, bool) {
	if literal := variableText.ReplaceAllString(text, ""); strings.Contains(literal, word) {
		return template.Declared{}, false
	}
	todo := names(text)
	for depth := 0; depth < 5 && len(todo) > 0; depth++ {
		var next []string
		for _, d := range s.Template.Declared() {
			if !slices.Contains(todo, d.Name) || !d.HasDefault {
				continue
			}
			if strings.Contains(d.Default, word) {
				return d, true
			}
			next = append(next, names(d.Default)...)
		}
		todo = next
	}
	return template.Declared{}, false
}

// variableText matches a variable without a default of its own.
var variableText = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}|\$[A-Za-z_][A-Za-z0-9_]*`)

// names are the variables of a text.
func names(text string) []string {
	var list []string
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// fromLine is the line of a reference as it is written, in one line.
func (s *subject) fromLine(ref *template.Reference) string {
	first, last := s.Template.Around(ref.Line)
	var parts []string
	for line := first; line <= last; line++ {
		text := strings.TrimSpace(s.Template.LineText(line))
		if !strings.HasPrefix(text, "#") {
			parts = append(parts, strings.TrimSpace(strings.TrimSuffix(text, "\\")))
		}
	}
	return strings.Join(parts, " ")
}

// nameFix is what to write in place of an image that names an architecture.
func (s *subject) nameFix(ref *template.Reference, p pin) string {
	if plain, ok := withoutPrefix(p.image); ok {
		if ref.Text == p.image {
			return "write " + strings.Replace(s.fromLine(ref), ref.Text, plain, 1) + ": the official image is there for every platform"
		}
		return fmt.Sprintf("write %s in place of %s: the official image is there for every platform", plain, p.image)
	}
	fix := "give each platform its image in archbuild.yaml:\nbases:\n  " + p.image + ":"
	for i, harmed := range p.harmed {
		image := "IMAGE"
		if i < len(p.served) && !p.open {
			image = p.served[i]
		} else if to, ok := p.word.For(harmed); ok {
			image = replaceWord(p.image, p.word.Text, to)
		}
		fix += fmt.Sprintf("\n    %s: %s", harmed, image)
	}
	return fix
}

func replaceWord(image, word, to string) string {
	at := strings.LastIndex(image, word)
	if at < 0 {
		return image
	}
	return image[:at] + to + image[at+len(word):]
}

// withoutPrefix takes the namespace of one architecture from the name of an official image:
// amd64/debian:12 is debian:12.
func withoutPrefix(image string) (string, bool) {
	host, rest := "", image
	for _, prefix := range []string{"docker.io/", "index.docker.io/"} {
		if after, ok := strings.CutPrefix(image, prefix); ok {
			host, rest = prefix, after
		}
	}
	namespace, name, ok := strings.Cut(rest, "/")
	if !ok || strings.Contains(name, "/") || strings.Contains(image, "@") {
		return "", false
	}
	official := slices.ContainsFunc(platform.All(), func(p platform.Platform) bool { return p.Names().Prefix == namespace })
	if !official && namespace != "aarch64" && namespace != "armhf" {
		return "", false
	}
	if host != "" {
		name = host + "library/" + name
	}
	return name, true
}

// argFix is what to write where an ARG holds the word alone.
func argFix(d template.Declared, p pin) string {
	plain := true
	fix := "give it its value for each platform in archbuild.yaml:\nargs:"
	for _, harmed := range p.harmed {
		to, ok := p.word.For(harmed)
		if official := harmed.Names().Prefix; p.word.Text == p.word.Arch && strings.HasPrefix(p.image, p.word.Text+"/") {
			to, ok = official, true
		}
		plain = plain && ok && to == harmed.Arch
		if !ok {
			to = "NAME"
		}
		fix += fmt.Sprintf("\n  %s: {%s: %s}", harmed, d.Name, strings.Replace(d.Default, p.word.Text, to, 1))
	}
	if plain && p.word.Text == "amd64" && d.Default == p.word.Text {
		return fmt.Sprintf("write ARG %s=$TARGETARCH, which BuildKit sets for each platform", d.Name)
	}
	return fix
}
