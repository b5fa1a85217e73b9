package verify_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	"github.com/google/go-cmp/cmp"
)

// goProgram compiles a program that does nothing.
func goProgram(t *testing.T, env ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module x\ngo 1.26\n", "main.go": "package main\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-o", "x", ".")
	build.Dir, build.Env = dir, append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS="), env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestTwoImagesAreHeldAgainstEachOther(t *testing.T) {
	label := platform.MustParse("linux/arm64")
	image := func(files ...file) v1.Image { return imageOf(t, label, v1.ConfigFile{}, layerOf(t, files...)) }
	program, other := goProgram(t, "GOARCH=arm64"), goProgram(t, "GOARCH=arm64", "GOARM64=v8.1")
	foreign := goProgram(t, "GOARCH=amd64")
	for _, row := range []struct {
		name          string
		first, second v1.Image
		want          []string // severity, path and what differs
	}{
		{"the same files", image(file{name: "a", body: program, mode: 0o755}), image(file{name: "a", body: program, mode: 0o755}), nil},
		{"a file that is not there", image(file{name: "a"}, file{name: "b"}), image(file{name: "a"}), []string{"error /b file"}},
		{"another mode", image(file{name: "a", mode: 0o755}), image(file{name: "a", mode: 0o644}), []string{"error /a mode"}},
		{"another text", image(file{name: "a", body: []byte("x")}), image(file{name: "a", body: []byte("y")}), []string{"warning /a content"}},
		{"another machine", image(file{name: "a", body: program}), image(file{name: "a", body: foreign}), []string{"error /a machine", "error /a settings", "error /a content"}},
		{"another Go program", image(file{name: "a", body: program}), image(file{name: "a", body: other}), []string{"error /a settings", "error /a content"}},
		{
			"layers that come to the same", imageOf(t, label, v1.ConfigFile{}, layerOf(t, dir("d"), data("d/x", nil), data("e", nil)), layerOf(t, whiteout("d/.wh.x"), data("d/y", nil))),
			imageOf(t, label, v1.ConfigFile{}, layerOf(t, dir("d"), data("e", nil), data("d/z", nil)), layerOf(t, whiteout("d/.wh..wh..opq"), data("d/y", nil))), nil,
		},
		{
			"a folder that becomes a file", imageOf(t, label, v1.ConfigFile{}, layerOf(t, dir("d"), data("d/x", nil)), layerOf(t, data("d", nil))),
			image(data("d", nil)), nil,
		},
		{"a damaged program", image(file{name: "a", body: program}), image(file{name: "a", body: program[:40]}), []string{"error /a machine", "warning /a content"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := verify.Compare(context.Background(), row.first, row.second)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range c.Differences {
				got = append(got, strings.Join([]string{string(d.Severity), d.Path, d.What}, " "))
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
	c, err := verify.Compare(context.Background(), imageOf(t, label, command("/a")), imageOf(t, label, command("/b")))
	if err != nil || len(c.Differences) != 1 || !c.Failed() || !strings.Contains(c.Differences[0].String(), "the image: config: ") {
		t.Errorf("configs that differ: %v, %v", c.Differences, err)
	}
}

func TestProgramsAreListedUsedOrNot(t *testing.T) {
	label := platform.MustParse("linux/arm64")
	img := imageOf(t, label, v1.ConfigFile{},
		layerOf(t, file{name: "base/program", body: amd64, mode: 0o755}),
		layerOf(t, file{name: "app/addon.node", body: amd64, mode: 0o644}, file{name: "app/own", body: arm64}, file{name: "app/text", body: []byte("text")}, file{name: "app/allowed", body: amd64}))
	list, err := verify.Programs(context.Background(), img, verify.Options{Platform: label, BaseLayers: 1, Allow: []string{"app/allowed"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		state := " runs"
		if p.Foreign {
			state = " foreign"
		}
		got = append(got, p.Path+state)
	}
	if diff := cmp.Diff([]string{"/app/addon.node foreign", "/app/own runs"}, got); diff != "" {
		t.Error(diff)
	}
}
