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
}

type family struct {
	copy int
	path string
}

func newFamilies(found contents.Found) families {
	f := families{map[family][]contents.Program{}, map[family][]family{}}
	for _, p := range found.Programs {
		path, root, ok := withoutMachine(p)
		if !ok {
			continue
		}
		key := family{p.Copy, path}
		if len(f.members[key]) == 0 {
			top := family{p.Copy, root}
			f.roots[top] = append(f.roots[top], key)
		}
		f.members[key] = append(f.members[key], p)
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
	path, root, ok := withoutMachine(p)
	const beside = "those for the other platforms lie beside it"
	switch {
	case ok && f.serve(family{p.Copy, path}, platforms):
		return beside
	case len(platforms) < len(c.Platforms):
		return ""
	}
	// For a machine that nobody asked for: what is asked for may lie beside it.
	for {
		for _, key := range f.roots[family{p.Copy, root}] {
			if f.serve(key, platforms) {
				return beside
			}
		}
		i := strings.LastIndexByte(strings.TrimSuffix(root, "/"), '/')
		if i < 0 || !ok {
			return ""
		}
		root = root[:i+1]
		ok = false // one folder above is near enough
	}
}

// serve tells whether every platform can run some member of a family.
func (f families) serve(key family, platforms []platform.Platform) bool {
	for _, on := range platforms {
		if !slices.ContainsFunc(f.members[key], func(p contents.Program) bool { return !p.Foreign(on) }) {
			return false
		}
	}
	return len(f.members[key]) > 0
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

// withoutMachine is where a program lies, with a star for the name of each machine, up to the
// last part of the path that has one; root is what stands before the first. It reports false for a path that names no machine.
func withoutMachine(p contents.Program) (path, root string, ok bool) {
	text := p.Path
	if p.Inside != "" {
		text += "!" + p.Inside
	}
	words := arch.Find(text)
	if len(words) == 0 {
		return "", "", false
	}
	root = text[:strings.LastIndexAny(text[:words[0].At], "/!")+1]
	var out strings.Builder
	at := 0
	for _, w := range words {
		out.WriteString(text[at:w.At])
		out.WriteByte('*')
		at = w.End
	}
	rest := text[at:]
	if i := strings.IndexAny(rest, "/!"); i >= 0 {
		rest = rest[:i+1]
	}
	out.WriteString(rest)
	return besideMachine.ReplaceAllString(out.String(), "*"), root, true
}
