package port

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
)

// value is what stands for something on one platform.
type value struct {
	text string
	// missing says what the text should be, when nobody knows.
	missing string
	// none says that there is nothing for the platform.
	none bool
}

// choice is a value for each platform of the request, in their order.
type choice []value

// key tells choices apart.
func (c choice) key() string {
	var b strings.Builder
	for _, v := range c {
		b.WriteString(v.text + "\x00" + v.missing + "\x00")
	}
	return b.String()
}

// isArch says whether a choice is what BuildKit calls the platforms by itself.
func (c choice) isArch(platforms []platform.Platform) bool {
	for i, p := range platforms {
		if c[i].text != p.Arch || c[i].missing != "" {
			return false
		}
	}
	return true
}

// names hands out names of variables that the file does not use for anything else.
type names struct {
	source string
	taken  map[string]string // by name, the key of its choice
}

// take gives a choice its name: the first that is free of those that fit, then with numbers.
func (n *names) take(key string, wanted ...string) string {
	for i := 1; ; i++ {
		for _, name := range wanted {
			if i > 1 {
				name += "_" + strconv.Itoa(i)
			}
			if of, ok := n.taken[name]; ok && of == key {
				return name
			} else if !ok && !n.used(name) {
				n.taken[name] = key
				return name
			}
		}
	}
}

// used says whether the file has a word that is this name.
func (n *names) used(name string) bool {
	if name == "" {
		return false
	}
	for rest := n.source; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		before, after := i > 0 && isNameByte(rest[i-1]), i+len(name) < len(rest) && isNameByte(rest[i+len(name)])
		if !before && !after {
			return true
		}
		rest = rest[i+len(name):]
	}
}

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// stem matches what a file is called before its version and architecture.
var stem = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([-_][A-Za-z]+)*?`)

// project guesses how a file, a URL or a path is called by people, for names of
// variables and messages: node of https://nodejs.org/dist/v20/node-v20-linux-x64.tar.gz.
func project(text string) string {
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	text = text[strings.LastIndexByte(strings.TrimRight(text, "/"), '/')+1:]
	name := stem.FindString(text)
	for _, end := range []string{"-linux", "_linux", "-Linux", "_Linux"} {
		if i := strings.Index(text, end); i > 0 && i < len(name) {
			name = name[:i]
		}
	}
	return name
}

// upper is a name for a variable: NODE_EXPORTER of node-exporter.
func upper(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && isNameByte(byte(r)) {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
	return strings.Trim(name, "_")
}

// missing are the values of a slot, with a gap for each platform that has no counterpart.
func (s slot) missing(platforms []platform.Platform) choice {
	values := slices.Clone(s.values)
	for i, p := range platforms {
		if values[i].none && values[i].missing == "" {
			values[i].missing = "what " + p.String() + " is called in place of " + s.values[s.own].text
		}
		values[i].none = false
	}
	return values
}

// nobody is what a message names where no file has a name of its own.
const nobody = "build"

var (
	nameOfFile = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._+-]+$`)
	// afterName matches what follows the name of a file: a version, or the system.
	afterName = regexp.MustCompile(`[-_.]v?[0-9]|[-_.][Ll]inux|[-_.]unknown`)
)

// aboutOf is how a message calls what a word is about: the name of its file, up to what
// is another one for each version or platform.
func aboutOf(raw string) string {
	text := strings.Trim(raw, `'",[]`)
	if !strings.ContainsAny(text, "/.") {
		return nobody
	}
	placed := strings.HasPrefix(text, "/") || strings.Contains(text, "://") // else it is in what a file was unpacked to
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	text = text[strings.LastIndexByte(text, '/')+1:]
	at := len(text)
	if found := arch.Find(text); len(found) > 0 {
		at = found[0].At
	}
	if i := strings.IndexByte(text, '$'); i >= 0 {
		at = min(at, i)
	}
	whole := at == len(text)
	if name := text[:at]; !whole {
		if loc := afterName.FindStringIndex(name); loc != nil {
			name = name[:loc[0]]
		}
		text = strings.Trim(name, "-_.")
	}
	if whole && !placed || !nameOfFile.MatchString(text) || strings.EqualFold(text, "linux") {
		return nobody
	}
	return text
}
