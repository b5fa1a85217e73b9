package detect_test

import (
	"context"
	"testing"

	"github.com/archbuild/archbuild/detect"
)

// A build asks both before it starts: they are part of its latency.
func BenchmarkHost(b *testing.B) {
	for b.Loop() {
		if _, err := detect.Host(context.Background(), detect.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEmulators(b *testing.B) {
	for b.Loop() {
		if _, err := detect.Emulators(context.Background(), detect.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBothForOneForeignPlatform(b *testing.B) {
	o := detect.Options{Platforms: platforms("linux/amd64 linux/arm64")}
	for b.Loop() {
		if _, err := detect.Host(context.Background(), o); err != nil {
			b.Fatal(err)
		}
		if _, err := detect.Emulators(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}
