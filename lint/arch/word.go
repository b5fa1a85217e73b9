package arch

import (
	"regexp"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Word is an architecture's name in a text.
type Word struct {
	// Text is the word as it is written there: "x86_64", "AMD64", "x86_64-linux-gnu".
	Text string
	// At and End are its bytes in the text.
	At, End int
	// Arch is the architecture, as Go has it, with the variant for arm: "arm/v7".
	Arch string
	// OS is the system that the words around it tell: "linux", "windows", "darwin", or
	// empty. A file for windows is not meant for the image, whatever its machine.
	OS string
	// Scheme is how the other machines are called in this place. It is never nil.
	Scheme *Scheme
}

// For is what the same place says for a platform. It reports false where nobody has
// named such a file, or nobody can tell.
func (w Word) For(p platform.Platform) (string, bool) {
	return w.Scheme.name(Key(p), w)
}

// Key is the architecture of a platform as Word.Arch has it.
func Key(p platform.Platform) string {
	if p.Arch == "arm" && p.Variant != "" {
		return "arm/" + p.Variant
	}
	return p.Arch
}

// spelled are the names that stand for one architecture wherever they stand. The longest
// is taken.
var spelled = map[string]string{
	"amd64": "amd64", "amd64v1": "amd64", "amd64v2": "amd64", "amd64v3": "amd64", "amd64v4": "amd64", "x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "64bit": "amd64", "64-bit": "amd64",
	"64bits": "amd64", "linux64": "amd64", "linuxx64": "amd64", "lnx64": "amd64", "lin64": "amd64", "linux-64": "amd64", "x8664": "amd64", "intel64": "amd64", "x86_64_v2": "amd64", "x86_64_v3": "amd64",
	"386": "386", "i386": "386", "i486": "386", "i586": "386", "i686": "386", "x86": "386", "x86_32": "386", "32bit": "386", "32-bit": "386", "linux32": "386", "ia32": "386", "linux-32": "386",
	"arm64": "arm64", "aarch64": "arm64", "arm64v8": "arm64", "armv8": "arm64", "aarch_64": "arm64", "armv8a": "arm64", "arm64-v8": "arm64", "armv8l": "arm64",
	"arm": "arm/v7", "armv7": "arm/v7", "armv7l": "arm/v7", "armv7a": "arm/v7", "armv7hf": "arm/v7", "arm32v7": "arm/v7", "armhf": "arm/v7", "arm-v7": "arm/v7", "armhfp": "arm/v7", "arm32": "arm/v7", "armv7hl": "arm/v7",
	"armv6": "arm/v6", "armv6l": "arm/v6", "armv6hf": "arm/v6", "arm32v6": "arm/v6", "arm-v6": "arm/v6", "armv5": "arm/v5", "armv5l": "arm/v5", "armel": "arm/v5", "arm32v5": "arm/v5", "armv5te": "arm/v5",
	"ppc64le": "ppc64le", "powerpc64le": "ppc64le", "ppc64el": "ppc64le", "ppcle_64": "ppc64le", "s390x": "s390x", "s390_64": "s390x", "riscv64": "riscv64", "riscv64gc": "riscv64",
	"mips64le": "mips64le", "mips64el": "mips64le", "loong64": "loong64", "loongarch64": "loong64",
}

// machines are those that triplets begin with.
const machines = `(?:x86_64|i[3-6]86|aarch64|arm(?:v[5-7][a-z]*)?|powerpc64le|ppc64le|s390x|riscv64(?:gc)?|mips64el|loongarch64)`

// names matches all words of spelled, triplets and dynamic loaders, the longest first.
var names = regexp.MustCompile(`(?i)ld-linux(?:-(?:x86-64|aarch64|armhf|riscv64-lp64d))?\.so\.[1-3]|ld64\.so\.[12]` +
	`|` + machines + `-(?:(?:unknown|pc|alpine|redhat|amazon|suse)-)?linux-(?:gnu|musl)(?:eabihf|eabi|sf|x32|abi64)?` +
	`|` + machines + `-(?:unknown|pc|alpine|redhat|amazon|suse)-linux` +
	`|linuxx64|linux-?64|linux-?32|lnx64|lin64|intel64|x86_64_v[23]|x86[_-]64|x86_32|x8664|x64|x86|amd64v[1-4]|amd64|64-?bits?|32-?bit|i[3-6]86|ia32|386` +
	`|arm64-v8|arm64v8|arm64|aarch_?64|armv8[al]?|armv7hf|armv7hl|armv7[al]?|armv6hf|armv6l?|armv5te|armv5l?|arm32v[5-7]|arm32|arm-v[67]|armhfp|armhf|armel|arm|powerpc64le|ppc64[le]{2}|ppcle_64|s390x|s390_64|riscv64gc|riscv64|mips64[le]{2}|loongarch64|loong64`)

// longestText is more than any word of a sensible file.
const longestText = 1 << 16

// Find gives the architecture words of a text: of a URL, a path, a file's name, a
// setting. They have boundaries: letters and digits next to them make another word.
func Find(text string) []Word {
	if len(text) > longestText {
		text = text[:longestText]
	}
	if !mayName(text) {
		return nil
	}
	var list []Word
	var project Project
	var known, asked bool // most texts name no machine, and then nobody wants the project
	for at := 0; at < len(text); {
		loc := names.FindStringIndex(text[at:])
		if loc == nil {
			break
		}
		from, to := at+loc[0], at+loc[1]
		if !bounded(text, from, to) {
			at = from + 1
			if to = shorter(text, from, to); to == 0 {
				continue
			}
		}
		w := Word{Text: text[from:to], At: from, End: to}
		at = to
		if !w.read(text) {
			continue
		}
		if w.OS = system(text, from, to); w.OS == "" && strings.Contains(strings.ToLower(w.Text), "lin") {
			w.OS = "linux"
		}
		w.Scheme = w.scheme(text)
		if !asked {
			project, known = Lookup(text)
			asked = true
		}
		if known && project.knows(w) {
			w.Scheme = &project.scheme
		}
		list = append(list, w)
	}
	return list
}

// mayName tells whether a text can have a word at all, which is quicker to see than whether it has:
// each has a digit, or begins with arm.
func mayName(text string) bool {
	if strings.ContainsAny(text, "12345678") {
		return true
	}
	for i := 0; i+3 <= len(text); i++ {
		if text[i]|0x20 == 'a' && strings.EqualFold(text[i:i+3], "arm") {
			return true
		}
	}
	return false
}

// shorter finds a word within one that has no boundary: x86_64 in x86_64_v2x is none, but
// x86_64 stands in x86_64-linux-gnufoo.
func shorter(text string, from, to int) int {
	for end := to - 1; end > from+2; end-- {
		if loc := names.FindStringIndex(text[from:end]); loc != nil && loc[0] == 0 && loc[1] == end-from && bounded(text, from, end) {
			return end
		}
	}
	return 0
}

// bounded tells whether what stands around a word ends it.
func bounded(text string, from, to int) bool {
	if from > 0 && alnum(text[from-1]) && !afterSystem(text[:from]) {
		return false
	}
	return to == len(text) || !alnum(text[to])
}

// afterSystem tells that a word is written together with the system before it: linuxamd64.
func afterSystem(before string) bool {
	before = strings.ToLower(before)
	for _, name := range []string{"linux", "darwin", "windows"} {
		if rest, ok := strings.CutSuffix(before, name); ok && (rest == "" || !alnum(rest[len(rest)-1])) {
			return true
		}
	}
	return false
}

func alnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// read tells the architecture of a word, and whether it is one in this place: a bare 386
// or arm is one only behind a system or alone.
func (w *Word) read(text string) bool {
	low := strings.ToLower(w.Text)
	if key, ok := spelled[low]; ok {
		w.Arch = key
		switch low {
		case "386", "arm", "arm32":
			return low == strings.ToLower(text) || behindSystem(text[:w.At])
		case "x86", "linux-64", "linux-32":
			return w.standsAsName(text)
		case "64-bit", "64bit", "32bit", "32-bit", "64bits":
			return strings.IndexByte(text, ' ') < 0
		}
		return w.At == 0 || text[w.At-1] != '@'
	}
	for _, part := range []struct{ prefix, arch string }{
		{"ld-linux-x86", "amd64"}, {"ld-linux-aarch64", "arm64"}, {"ld-linux-armhf", "arm/v7"}, {"ld-linux-riscv64", "riscv64"}, {"ld64.so.2", "ppc64le"}, {"ld64.so.1", "s390x"}, {"ld-linux.so", "386"},
		{"x86_64", "amd64"}, {"i", "386"}, {"aarch64", "arm64"}, {"armv6", "arm/v6"}, {"armv5", "arm/v5"}, {"arm", "arm/v7"}, {"powerpc64le", "ppc64le"}, {"ppc64le", "ppc64le"}, {"s390x", "s390x"}, {"riscv64", "riscv64"},
		{"mips64el", "mips64le"}, {"loongarch64", "loong64"},
	} {
		if strings.HasPrefix(low, part.prefix) {
			w.Arch = part.arch
			return true
		}
	}
	return false
}

// behindSystem tells that the text before a word ends with a system's name, or with the
// setting that takes the word.
func behindSystem(before string) bool {
	before = strings.ToLower(before)
	for _, end := range []string{"linux-", "linux_", "linux/", "linux.", "linux", "goarch=", "windows-", "windows_", "windows/", "darwin-", "darwin/", "freebsd-", "freebsd_", "arch="} {
		if strings.HasSuffix(before, end) {
			return true
		}
	}
	return false
}

// standsAsName tells that a word is a part of a name, and no prose: x86.tar.gz, linux-x86.
func (w *Word) standsAsName(text string) bool {
	before := w.At == 0 || strings.IndexByte("-_/.=", text[w.At-1]) >= 0
	after := w.End == len(text) || strings.IndexByte("-_/.&:", text[w.End]) >= 0
	return before && after
}

// system reads the system that the part of the path around a word names, else those next
// to it.
func system(text string, from, to int) string {
	begin := strings.LastIndexAny(text[:from], "/= ") + 1
	end := len(text)
	if n := strings.IndexAny(text[to:], "/ ?&"); n >= 0 {
		end = to + n
	}
	if os := systemIn(text[begin:end]); os != "" {
		return os
	}
	after := ""
	if end < len(text) && text[end] == '/' {
		after, _, _ = strings.Cut(text[end+1:], "/")
	}
	before := ""
	if begin > 0 && text[begin-1] == '/' {
		before = text[strings.LastIndexAny(text[:begin-1], "/= ")+1 : begin-1]
	}
	if os := systemIn(before); os != "" {
		return os
	}
	return systemIn(after)
}

// systemIn reads a system from a name.
func systemIn(name string) string {
	name = strings.ToLower(name)
	switch {
	case strings.Contains(name, "android"), strings.Contains(name, "-v8a"):
		return "android"
	case strings.Contains(name, "linux") || strings.Contains(name, "musl") || strings.Contains(name, "manylinux"):
		return "linux"
	case strings.Contains(name, "windows") || strings.Contains(name, "win32") || strings.Contains(name, "mingw") || strings.Contains(name, "msvc") || startsWord(name, "win") || startsWord(name, "win64") || strings.HasSuffix(name, ".exe") || strings.HasSuffix(name, ".msi"):
		return "windows"
	case strings.Contains(name, "darwin") || strings.Contains(name, "macos") || strings.Contains(name, "-apple") || startsWord(name, "osx") || startsWord(name, "mac") || strings.HasSuffix(name, ".dmg"):
		return "darwin"
	case strings.Contains(name, "freebsd"), strings.Contains(name, "openbsd"), strings.Contains(name, "netbsd"):
		return "freebsd"
	}
	return ""
}

// startsWord tells whether a word stands in a name with boundaries.
func startsWord(name, word string) bool {
	for at := 0; ; {
		n := strings.Index(name[at:], word)
		if n < 0 {
			return false
		}
		from, to := at+n, at+n+len(word)
		if (from == 0 || !alnum(name[from-1])) && (to == len(name) || !alnum(name[to])) {
			return true
		}
		at = to
	}
}
