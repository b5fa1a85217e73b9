package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/manifest/spec"
)

// ofTemplate gives the images that a template names, and the warnings.
func ofTemplate(t *testing.T, template string, platforms ...string) (string, []spec.Warning) {
	t.Helper()
	s, warnings, err := spec.FromArgs(spec.Args{Platforms: platforms, Template: template, Target: "app:1"})
	if err != nil {
		t.Errorf("%s: %v", template, err)
	}
	var images []string
	for _, e := range s.Entries {
		images = append(images, e.Image)
	}
	return strings.Join(images, " "), warnings
}

// first is manifest-tool's way with a template.
func first(template, os, arch, variant string) string {
	template = strings.Replace(template, "ARCH", arch, 1)
	template = strings.Replace(template, "OS", os, 1)
	return strings.Replace(template, "VARIANT", variant, 1)
}

func TestFlagsStandForASpec(t *testing.T) {
	got, warnings, err := spec.FromArgs(spec.Args{
		Platforms:   []string{"linux/amd64,linux/arm/v7", "linux/arm64/v8", "windows/amd64"},
		Template:    "r.example/app:1-OS-ARCHVARIANT",
		Target:      "r.example/app:1",
		Tags:        []string{"1.0,1.0.0", "latest", ""},
		Annotations: []string{"a=1,b=x=y", "c="},
	})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := spec.Spec{
		Image: "r.example/app:1", Tags: []string{"1.0", "1.0.0", "latest"}, Annotations: map[string]string{"a": "1", "b": "x=y", "c": ""},
		Entries: []spec.Entry{
			{Image: "r.example/app:1-linux-amd64", Platform: spec.Platform{OS: "linux", Architecture: "amd64"}},
			{Image: "r.example/app:1-linux-armv7", Platform: spec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}},
			{Image: "r.example/app:1-linux-arm64v8", Platform: spec.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}},
			{Image: "r.example/app:1-windows-amd64", Platform: spec.Platform{OS: "windows", Architecture: "amd64"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATemplateThatHoldsEachPlaceholderOnceGivesManifestToolsNames(t *testing.T) {
	for _, template := range []string{
		"foo/bar-ARCH:v1", "foo/bar-ARCHVARIANT:v1", "foo/bar:OS-ARCH", "foo/OS/ARCH:VARIANT", "foo/bar:OSARCHVARIANT", "foo/ARCHOS", "ARCH/bar:1", "foo/bar:x86",
		"foo/bar:vARCH", "foo/bar:ARCH64", "foo/bar:1.0RC1-ARCH", "foo/bar:SNAPSHOTARCH", "foo/bar:POSTGRES-ARCH", "foo/bar:ARCHIVE", "foo/bar:V_ARCH_X",
	} {
		for _, p := range [][]string{{"linux/amd64", "linux", "amd64", ""}, {"linux/arm/v7", "linux", "arm", "v7"}} {
			if strings.HasSuffix(first(template, p[1], p[2], p[3]), ":") {
				continue
			}
			if got, _ := ofTemplate(t, template, p[0]); got != first(template, p[1], p[2], p[3]) {
				t.Errorf("%s for %s: %s", template, p[0], got)
			}
		}
	}
}

func TestPlaceholdersAreReplacedWhereTheyAreMeant(t *testing.T) {
	for _, c := range []struct{ saying, template, want, warning string }{
		{"everywhere", "ARCH/app:ARCH", "arm/app:arm", "--template: ARCH is replaced 2 times"},
		{"not in another word", "app:ARCHIVE-ARCH", "app:ARCHIVE-arm", "--template: ARCH is replaced where it is a word, not in ARCHIVE"},
		{"not in another word that comes later", "app:ARCH-ARCHIVE", "app:arm-ARCHIVE", "--template: ARCH is replaced where it is a word, not in ARCHIVE"},
		{"in another word if there is no other place", "app:SNAPSHOTARCH", "app:SNAPSHOTarm", "--template: ARCH is replaced within SNAPSHOTARCH, as manifest-tool does"},
		{"a word of placeholders beside another word", "app:OS-POSTGRES-ARCHVARIANT", "app:linux-POSTGRES-armv7", "--template: OS is replaced where it is a word, not in POSTGRES"},
		{"next to digits and underscores", "app:1ARCH_OS", "app:1arm_linux", ""},
	} {
		got, warnings := ofTemplate(t, c.template, "linux/arm/v7")
		if got != c.want {
			t.Errorf("%s: %s becomes %s, want %s", c.saying, c.template, got, c.want)
		}
		var text string
		for _, w := range warnings {
			text += w.String()
			if w.Hint() == "" {
				t.Errorf("%s: no hint", c.saying)
			}
		}
		if text != c.warning {
			t.Errorf("%s: warned %q, want %q", c.saying, text, c.warning)
		}
	}
}

func TestPlatformsOfFlags(t *testing.T) {
	for _, p := range []string{
		"linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/386", "linux/arm", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/arm64/v8",
		"linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/mips64le", "linux/loong64", "windows/amd64", "windows/arm64", "darwin/arm64", "freebsd/amd64",
		"linux/mips", "linux/mipsle", "linux/ppc64", "netbsd/arm64", "openbsd/riscv64", "plan9/386", "solaris/amd64", "js/wasm", "wasip1/wasm", "aix/ppc64",
	} {
		s, warnings, err := spec.FromArgs(spec.Args{Platforms: []string{p}, Template: "app:OS-ARCHVARIANT", Target: "app:1"})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", p, warnings, err)
			continue
		}
		e := s.Entries[0].Platform
		if got := strings.TrimSuffix(e.OS+"/"+e.Architecture+"/"+e.Variant, "/"); got != p {
			t.Errorf("%s became %s", p, got)
		}
	}
}

func TestBadFlagsSayWhatToDo(t *testing.T) {
	good := spec.Args{Platforms: []string{"linux/amd64"}, Template: "app:1-ARCH", Target: "app:1"}
	for _, c := range []struct {
		problem    string
		change     func(*spec.Args)
		want, hint string
	}{
		{"no platform", func(a *spec.Args) { a.Platforms = nil }, "--platforms: is missing", "name the platforms: --platforms linux/amd64,linux/arm64"},
		{"no template", func(a *spec.Args) { a.Template = "" }, "--template: is missing", "name the image of one platform: --template registry.example/app:1.0-ARCH"},
		{"no target", func(a *spec.Args) { a.Target = "" }, "--target: is missing", "name the index: --target registry.example/app:1.0"},
		{"an architecture alone", func(a *spec.Args) { a.Platforms = []string{"arm64"} }, `--platforms: "arm64" is not a platform in the form os/arch or os/arch/variant`, "write linux/arm64"},
		{"another name of an architecture", func(a *spec.Args) { a.Platforms = []string{"linux/x86_64"} }, `--platforms: "linux/x86_64" is not a platform in the form os/arch or os/arch/variant`, "write linux/amd64"},
		{"capitals", func(a *spec.Args) { a.Platforms = []string{"Linux/amd64"} }, `--platforms: "Linux/amd64" is not a platform in the form os/arch or os/arch/variant`, "write linux/amd64"},
		{"a slip", func(a *spec.Args) { a.Platforms = []string{"linux/arm46"} }, `--platforms: "linux/arm46" is not a platform in the form os/arch or os/arch/variant`, "did you mean linux/arm64?"},
		{"a comma too many", func(a *spec.Args) { a.Platforms = []string{"linux/amd64,"} }, `--platforms: "linux/amd64," has an empty item`, "write the items with one comma between them"},
		{"a bad tag", func(a *spec.Args) { a.Tags = []string{"app:2"} }, `--tags: "app:2" is no tag`, "write the tag alone, without a repository: letters, digits, _ . and -"},
		{"half an annotation", func(a *spec.Args) { a.Annotations = []string{"a=b,c"} }, `--annotations: "c" is not KEY=VALUE`, "write KEY=VALUE,KEY=VALUE; a value with a comma goes into a spec file, under annotations:"},
		{"an annotation twice", func(a *spec.Args) { a.Annotations = []string{"a=b,a=c"} }, `--annotations: "a" is given twice`, "keep one of them"},
		{"a target without any tag", func(a *spec.Args) { a.Target = "app" }, `--target: "app" has no tag, and there are no further tags`, "write app:latest, if that is meant"},
		{
			"a separator before a variant that is not there", func(a *spec.Args) { a.Template = "app-ARCH-VARIANT:1" },
			`--template: "app-amd64-:1" names no image: invalid reference format`,
			"write [REGISTRY/]REPOSITORY[:TAG], in lower case, with ARCH, OS and VARIANT where the platforms differ; put no separator before VARIANT, as not every platform has one",
		},
	} {
		args := good
		c.change(&args)
		s, _, err := spec.FromArgs(args)
		if err == nil || err.Error() != c.want || s.Entries != nil {
			t.Errorf("%s:\n got %v\nwant %s", c.problem, err, c.want)
			continue
		}
		var known *spec.ArgError
		if !errors.As(err, &known) || known.Hint() != c.hint || known.ExitStatus() != 2 {
			t.Errorf("%s: hint %q, want %q", c.problem, known.Hint(), c.hint)
		}
	}
	if _, _, err := spec.FromArgs(spec.Args{}); strings.Count(err.Error(), "is missing") != 3 {
		t.Errorf("nothing at all: %v", err)
	}
}
