package parity_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exceptions are the cases, two at most, in which archbuild is to differ from buildx, each with the reason.
func exceptions() map[string]string {
	return map[string]string{
		"context-main-ignore": ".dockerignore holds in archives and repositories as it does in folders, so that all of them build to the same image; " +
			"in buildx it holds in folders alone",
	}
}

// TestParity builds every case by docker buildx and by archbuild, both on archbuild's engine: the images of each platform
// have to be the same, digest by digest.
func TestParity(t *testing.T) {
	w := newWorld(t)
	for _, c := range readCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			difference := differ(w.byBuildx(t, c), w.byArchbuild(t, c))
			for try := 1; difference != "" && try < c.tries; try++ {
				t.Logf("another time: - docker buildx\n+ archbuild\n%s", difference)
				difference = differ(w.byBuildx(t, c), w.byArchbuild(t, c))
			}
			reason, excepted := exceptions()[c.name]
			switch {
			case difference == "" && excepted:
				t.Errorf("there is no difference any more; take the exception out: %s", reason)
			case difference != "" && !excepted:
				t.Errorf("- docker buildx\n+ archbuild\n%s", difference)
			}
		})
	}
}

// differ shows what is not the same, or nothing. Where one of the two writes no index, there is none to compare.
func differ(buildx, archbuild built) string {
	if diff := cmp.Diff(buildx.digests(), archbuild.digests()); diff != "" {
		return cmp.Diff(buildx.lines(), archbuild.lines())
	}
	if buildx.Index != "" && archbuild.Index != "" && buildx.Index != archbuild.Index {
		return "indexes: " + cmp.Diff(buildx.Index, archbuild.Index)
	}
	return cmp.Diff(buildx.Files, archbuild.Files)
}

func (w *world) byArchbuild(t *testing.T, c parityCase) built {
	t.Helper()
	out := w.outputs(t)[c.output]
	args := slices.Concat([]string{"build", c.context, "--no-resume", "--progress", "plain", "--platform", strings.Join(c.platforms, ",")}, c.args, c.archbuildArgs, out.archbuild)
	return w.build(t, c, "archbuild", w.archbuild, args, out)
}

// byBuildx builds all platforms at once, unless the case has arguments of buildx for each of them.
func (w *world) byBuildx(t *testing.T, c parityCase) built {
	t.Helper()
	out, ok := w.outputs(t)[c.output]
	if !ok {
		t.Fatalf("there is no output %q", c.output)
	}
	build := func(platform string, more []string) built {
		args := slices.Concat([]string{"build", "--builder", "parity", "--progress", "plain", "--provenance=false", "--platform", platform}, c.args, more, out.buildx, []string{c.context})
		return w.build(t, c, "buildx", w.buildx, args, out)
	}
	if len(c.buildxArgs) == 0 {
		return build(strings.Join(c.platforms, ","), nil)
	}
	all := built{Images: map[string]image{}}
	for _, platform := range c.platforms {
		one := build(platform, c.buildxArgs[platform])
		maps.Copy(all.Images, one.Images)
	}
	return all
}

// build lays the case's files anew and runs a tool on them.
func (w *world) build(t *testing.T, c parityCase, tool, program string, args []string, out output) built {
	t.Helper()
	dir := filepath.Join(w.root, c.name)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if c.syntax != "" && tool == "archbuild" {
		c.files = slices.Clone(c.files)
		for i, f := range c.files {
			if f.Name == "Dockerfile" {
				c.files[i].Data = slices.Concat([]byte("# syntax="+c.syntax+"\n"), f.Data)
			}
		}
	}
	c.lay(t, w, dir)
	expand := w.variables(t, tool, c.name)
	for i := range args {
		args[i] = os.Expand(args[i], expand)
	}
	var env []string
	for _, variable := range c.env {
		env = append(env, os.Expand(variable, expand))
	}
	var stdin io.Reader
	if c.stdin != "" {
		file, err := os.Open(filepath.Join(dir, c.stdin))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		stdin = file
	}
	said, err := w.runIn(t.Context(), dir, env, stdin, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, said)
	}
	result, err := out.read(os.Expand(out.at, expand))
	if err != nil {
		t.Fatalf("reading what %s wrote: %v\n%s", tool, err, said)
	}
	return result
}
