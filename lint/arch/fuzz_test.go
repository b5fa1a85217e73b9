package arch_test

import (
	"testing"
	"time"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
)

// FuzzFind: words stand where they are said to, in order, and finding them ends soon.
func FuzzFind(f *testing.F) {
	for _, text := range []string{
		"", "https://dl.k8s.io/v1/bin/linux/amd64/kubectl", "x86_64-unknown-linux-musl", "ld-linux-x86-64.so.2", "linuxamd64", "armarmarm64arm64v8x86_64_v2_v3", "x86_64-linux-gnux32-",
		"https://github.com/krallin/tini/releases/download/v0.19.0/tini", "AMD64 Linux-64bit ARM64 x64.x86.i386",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin, last := time.Now(), 0
		for _, w := range arch.Find(text) {
			if w.At < last || w.End > len(text) || text[w.At:w.End] != w.Text || w.Arch == "" || w.Scheme == nil {
				t.Errorf("%+v in %q", w, text)
			}
			last = w.End
			for _, p := range platform.All() {
				if other, ok := w.For(p); ok && other == "" {
					t.Errorf("%q on %s is nothing", w.Text, p)
				}
			}
		}
		if u, ok := arch.FindUnnamed(text); ok && (u.At < 0 || u.At >= u.End || u.End > len(text)) {
			t.Errorf("%+v in %q", u, text)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v for %d bytes", took, len(text))
		}
	})
}
