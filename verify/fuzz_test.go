package verify_test

import (
	"context"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

// fuzzBytes bounds what a fuzzed layer may unpack to.
const fuzzBytes = 16 << 20

// FuzzLayer promises: whatever bytes a layer has, verifying ends with a report
// or an error, the same one each time, and every finding names a clean path.
func FuzzLayer(f *testing.F) {
	plain := tarOf(f, []file{
		dir("usr/bin"), exe("usr/bin/a", amd64), symlink("l", "../usr"), hardlink("b", "usr/bin/a"), whiteout("usr/.wh.x"),
		whiteout("opt/.wh..wh..opq"), script("start", "/usr/bin/env -S x"), exe("bin/arm", armELF(10, 'A', true, 0)), exe("w.exe", pe(0x8664, 3, true)),
	})
	f.Add(plain)
	f.Add(gzipOf(f, plain))
	f.Add(zstdOf(f, plain))
	f.Add(plain[:len(plain)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		label := platform.MustParse("linux/arm/v6")
		img := imageOf(t, label, entrypoint("/l/bin/a"), static.NewLayer(body, types.OCILayer), layerOf(t, symlink("usr", "/l"), exe("l/x", amd64)))
		o := verify.Options{Platform: label, MaxBytes: fuzzBytes}
		first, err := verify.Image(context.Background(), img, o)
		again, errAgain := verify.Image(context.Background(), img, o)
		if (err == nil) != (errAgain == nil) || len(first.Findings) != len(again.Findings) {
			t.Fatalf("two looks differ: %v, %v", err, errAgain)
		}
		for i, finding := range first.Findings {
			if finding != again.Findings[i] {
				t.Fatalf("two looks differ: %+v, %+v", finding, again.Findings[i])
			}
			if finding.Path != "" && finding.Path[0] != '/' {
				t.Fatalf("path %q is not absolute", finding.Path)
			}
		}
	})
}

// FuzzProgram promises: whatever bytes a file has, looking at it ends without
// an error, for every platform.
func FuzzProgram(f *testing.F) {
	for _, seed := range [][]byte{amd64, arm64, i386, s390x, armELF(10, 'A', true, 0), armELF(13, 'M', false, 2000), pe(0x8664, 3, false), pe(0x14c, 3, true), machO(7), []byte("#! /usr/bin/env x\n"), []byte("MZ")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := static.NewLayer(tarOf(t, []file{exe("app", body), data("usr/lib/a.so.1", body)}), types.OCIUncompressedLayer)
		for _, label := range []platform.Platform{platform.MustParse("linux/arm/v6"), platform.MustParse("linux/amd64"), platform.MustParse("windows/amd64")} {
			img := imageOf(t, label, v1.ConfigFile{Config: v1.Config{Entrypoint: []string{"/app"}}}, l)
			if _, err := verify.Image(context.Background(), img, verify.Options{Platform: label, MaxBytes: fuzzBytes}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzAllow promises: every pattern is refused or usable, and a finding is
// either reported or counted as allowed.
func FuzzAllow(f *testing.F) {
	for _, seed := range []string{"/usr/bin/*", "**", "a/**/b", "*.so", "/opt/[a-z]*/x", "[", "\\"} {
		f.Add(seed)
	}
	img := imageOf(f, linuxARM64, v1.ConfigFile{}, layerOf(f, exe("usr/bin/a", amd64), exe("opt/ab/x", amd64)))
	m := newMemory()
	f.Fuzz(func(t *testing.T, pattern string) {
		report, err := verify.Image(context.Background(), img, verify.Options{Platform: linuxARM64, Allow: []string{pattern}, Memory: m})
		if err == nil && report.Allowed+len(report.Findings) != 2 {
			t.Fatalf("%q: %d allowed, %d left", pattern, report.Allowed, len(report.Findings))
		}
	})
}
