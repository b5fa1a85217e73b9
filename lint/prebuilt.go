package lint

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/platform"
)

// prebuilt is a program of the context that some wanted platform cannot run.
type prebuilt struct {
	contents.Program
	severity Severity
	// platforms that cannot run it.
	platforms []platform.Platform
	// why it is no worse: it is for other systems, or has sisters.
	why string
}

// prebuiltBinary finds programs of the context that are for one machine.
func prebuiltBinary(s *subject) {
	lines := map[int][]prebuilt{}
	families := newFamilies(s.Contents)
	roads := s.roads()
	for _, p := range s.Contents.Programs {
		c := s.Contents.Copies[p.Copy]
		found := prebuilt{Program: p, severity: Warning}
		for _, on := range c.Platforms {
			if p.Foreign(on) {
				found.platforms = append(found.platforms, on)
			}
		}
		if len(found.platforms) == 0 {
			continue
		}
		into := roads.into(p)
		if s.allows(append(into, p.Image)) {
			continue
		}
		switch {
		case len(into) > 0:
			found.severity = Error
		case testData(p.Path):
			continue // it came along with the sources, and tests that read it do not run it
		}
		if why := families.excuse(p, found.platforms, c); why != "" {
			found.severity, found.why = Info, why
		}
		lines[c.Line] = append(lines[c.Line], found)
	}
	for line, list := range lines {
		s.add(s.report(line, list))
	}
}

// testFolders are those that programs lie in to be read.
var testFolders = []string{"test", "tests", "testdata", "test-data", "test_data", "fixtures", "fixture", "spec", "specs", "__tests__", "__fixtures__", "e2e"}

// testData tells whether a file of the context lies among the data of tests.
func testData(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(dir string) bool { return slices.Contains(testFolders, strings.ToLower(dir)) })
}

// allows tells whether archbuild.yaml lets a file stand: by its path in the image. Where a copy
// gives it a name that may be that of a folder, the file may lie in that.
func (s *subject) allows(paths []string) bool {
	return s.Allowed != nil && slices.ContainsFunc(paths, func(name string) bool { return name != "" && s.Allowed(name) })
}

// report makes one finding of those of a line: of the worst of them.
func (s *subject) report(line int, list []prebuilt) Finding {
	slices.SortStableFunc(list, func(a, b prebuilt) int {
		return cmp.Or(cmp.Compare(a.severity.rank(), b.severity.rank()), cmp.Compare(len(a.why), len(b.why)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inside, b.Inside))
	})
	first := list[0]
	files := map[string]bool{}
	f := Finding{ID: "prebuilt-binary", Severity: first.severity, Line: line}
	for _, p := range list {
		if p.severity != first.severity {
			break
		}
		files[p.Path+"!"+p.Inside] = true
		for _, on := range p.platforms {
			if !slices.Contains(f.Platforms, on) {
				f.Platforms = append(f.Platforms, on)
			}
		}
	}
	more := ""
	if n := len(files) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more like it", n)
	}
	name := first.shown()
	switch {
	case first.why != "":
		f.Message = fmt.Sprintf("%s is %s%s: %s", name, first.Describe(f.Platforms[0]), more, first.why)
		f.Fix = "nothing has to be done if they are data here; `verify: allow:` in archbuild.yaml says so for the image"
		return f
	case first.severity == Warning:
		more += ": it gets into " + s.stageName(s.Contents.Copies[first.Copy].Stage) + " only"
	}
	f.Message = fmt.Sprintf("%s is %s, which %s cannot run%s", name, first.Describe(f.Platforms[0]), join(f.Platforms), more)
	f.Fix = s.mend(first)
	return f
}

// shown is how a message calls a program.
func (p prebuilt) shown() string {
	if p.Inside == "" {
		return p.Path
	}
	return strings.ReplaceAll(p.Inside, "!", ": ") + " in " + p.Path
}

// mend is what to do about a program: a COPY of the file itself can take another one on each
// platform, one that takes it along should not.
func (s *subject) mend(p prebuilt) string {
	c := s.Contents.Copies[p.Copy]
	named := slices.ContainsFunc(c.Sources, func(source string) bool { return strings.TrimPrefix(path.Clean("/"+source), "/") == p.Path })
	instruction := "COPY"
	if c.Unpack {
		instruction = "ADD"
	}
	if named {
		dir, base := path.Split(p.Path)
		return fmt.Sprintf("put one for each platform into the context, as %samd64/%s and %sarm64/%s, and write ARG TARGETARCH and %s %s${TARGETARCH}/%s; or build it in a stage", dir, base, dir, base, instruction, dir, base)
	}
	return fmt.Sprintf("name %s in .dockerignore, and install or build it in a stage; if it has to be there, name its path in the image under `verify: allow:` in archbuild.yaml", p.Path)
}
