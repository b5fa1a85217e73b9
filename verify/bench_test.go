package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/verify"
)

// manyFiles is an image of n added files: one in ten is a program, the others
// are text-like, 8 KiB each on average.
func manyFiles(tb testing.TB, n int) v1.Image {
	random := rand.New(rand.NewPCG(1, 2))
	filler := make([]byte, 32<<10)
	for i := range filler {
		filler[i] = "abcdefgh \n"[random.IntN(10)]
	}
	var files []file
	for i := range n {
		body := filler[:random.IntN(16<<10)]
		name := fmt.Sprintf("srv/app/dir%d/file%d", i%200, i)
		if i%10 == 0 {
			files = append(files, exe(name, append(elfFor("linux/arm64"), body...)))
		} else {
			files = append(files, data(name, body))
		}
	}
	return imageOf(tb, linuxARM64, entrypoint("/srv/app/dir0/file0"), layerOf(tb, exe("bin/sh", arm64)), layerOf(tb, files...))
}

// stored writes the image into a layout and opens it from there.
func stored(tb testing.TB, img v1.Image) v1.Image {
	dir := filepath.Join(tb.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		tb.Fatal(err)
	}
	if err := path.AppendImage(img); err != nil {
		tb.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	opened, err := ocistore.Store{Dir: dir}.Image(v1.Descriptor{Digest: digest})
	if err != nil {
		tb.Fatal(err)
	}
	return opened
}

// The contract: 20,000 added files take at most 1.5 s at first and 20 ms again.
const (
	contractFiles  = 20_000
	contractFirst  = 1500 * time.Millisecond
	contractSecond = 20 * time.Millisecond
)

func BenchmarkImage(b *testing.B) {
	img := stored(b, manyFiles(b, contractFiles))
	options := verify.Options{Platform: linuxARM64, BaseLayers: 1}
	run := func(b *testing.B, limit time.Duration, m func() verify.Memory) {
		b.ReportAllocs()
		for b.Loop() {
			o := options
			o.Memory = m()
			if report, err := verify.Image(context.Background(), img, o); err != nil || report.Files != contractFiles {
				b.Fatalf("%d files, %v", report.Files, err)
			}
		}
		if each := b.Elapsed() / time.Duration(b.N); each > limit {
			b.Errorf("%v each, the contract is %v", each, limit)
		}
	}
	b.Run("first", func(b *testing.B) {
		run(b, contractFirst, func() verify.Memory { return newMemory() })
	})
	b.Run("again", func(b *testing.B) {
		m := newMemory()
		o := options
		o.Memory = m
		if _, err := verify.Image(context.Background(), img, o); err != nil {
			b.Fatal(err)
		}
		run(b, contractSecond, func() verify.Memory { return m })
	})
}
