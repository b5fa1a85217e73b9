package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/platform"
)

// families are programs that a copy takes in together and that differ in the name of the machine:
// dist/linux-amd64/app and dist/linux-arm64/app. Who uses them chooses.
type families struct {
	// members by copy and by their path with the machine's name left out, and above the
	// folders (or beginnings of names) that have members of several machines.
	members map[family][]contents.Program
	roots   map[family][]family
	// served are the answers that were given.
	served map[served]bool
}

type served struct {
	family
	on platform.Platform
}

type family struct {
	copy int
	path string
}

func newFamilies(found contents.Found) families {
	f := families{map[family][]contents.Program{}, map[family][]family{}, map[served]bool{}}
	for _, p := range found.Programs {
		root, paths := withoutMachine(p)
		for _, path := range paths {
			key := family{p.Copy, path}
			if len(f.members[key]) == 0 {
				top := family{p.Copy, root}
				f.roots[top] = append(f.roots[top], key)
			}
			f.members[key] = append(f.members[key], p)
		}
	}
	return f
}

// excuse says why a program that platforms cannot run is no mistake; empty if it may be one.
func (f families) excuse(p contents.Program, platforms []platform.Platform, c contents.Copy) string {
	if !slices.ContainsFunc(c.Platforms, func(on platform.Platform) bool { return string(p.Format) == formatOf(on.OS) }) {
		return "it is for another system, which no image of these platforms is"
	}
	if otherSystems.MatchString(p.Path + "/" + p.Inside) {
		return "it is for another system, by its name"
	}
	const beside = "those for the other platforms lie beside it"
	root, paths := withoutMachine(p)
	for _, path := range paths {
		if f.serve(family{p.Copy, path}, platforms) {
			return beside
		}
	}
	if len(paths) == 0 || len(platforms) < len(c.Platforms) {
		return ""
	}
	// It is for a machine that nobody asked for: what is asked for may lie in a folder beside
	// its own, or in one above.
	above := root[:strings.LastIndexAny(strings.TrimRight(root, "/!"), "/!")+1]
	for _, at := range []string{root, above} {
		for _, key := range f.roots[family{p.Copy, at}] {
			if f.serve(key, platforms) {
				return beside
			}
		}
	}
	return ""
}

// serve tells whether every platform can run some member of a family.
func (f families) serve(key family, platforms []platform.Platform) bool {
	for _, on := range platforms {
		question := served{key, on}
		answer, known := f.served[question]
		if !known {
			answer = slices.ContainsFunc(f.members[key], func(p contents.Program) bool { return !p.Foreign(on) })
			f.served[question] = answer
		}
		if !answer {
			return false
		}
	}
	return true
}

// formatOf are a system's programs.
func formatOf(system string) string {
	switch system {
	case "windows":
		return "PE"
	case "darwin":
		return "Mach-O"
	}
	return "ELF"
}

var (
	// otherSystems matches words of a path that name a system whose programs are ELF files too.
	otherSystems = regexp.MustCompile(`(?i)(^|[^a-z0-9])(android|freebsd|openbsd|netbsd|dragonfly|sunos|solaris|illumos|ohos|openharmony)($|[^a-z0-9])`)
	// besideMachine matches what stands beside a machine's name and may differ with it.
	besideMachine = regexp.MustCompile(`(?i)((many|musl)linux[0-9_]*|linux|gnu|unknown|pc)?[-_./]?\*`)
)

// withoutMachine is where a program lies, with a star for the name of each machine: up to the
// first part of the path that has one, and up to the last. root is what stands before the first. They are
// empty for a path that names no machine.
func withoutMachine(p contents.Program) (root string, paths []string) {
	text := p.Path
	if p.Inside != "" {
		text += "!" + p.Inside
	}
	words := arch.Find(text)
	if len(words) == 0 {
		return "", nil
	}
	root = text[:strings.LastIndexAny(text[:words[0].At], "/!")+1]
	var out strings.Builder
	at := 0
	for i, w := range words {
		out.WriteString(text[at:w.At])
		out.WriteByte('*')
		at = w.End
		if i > 0 && i < len(words)-1 {
			continue
		}
		rest := text[at:]
		if end := strings.IndexAny(rest, "/!"); end >= 0 {
			rest = rest[:end+1]
		}
		paths = append(paths, besideMachine.ReplaceAllString(out.String()+starred(rest), "*"))
	}
	return root, slices.Compact(paths)
}

// starred puts stars for the machines in the rest of a name.
func starred(text string) string {
	words := arch.Find(text)
	for i := len(words) - 1; i >= 0; i-- {
		text = text[:words[i].At] + "*" + text[words[i].End:]
	}
	return text
}
