package arch_test

import (
	"testing"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
)

func TestWordsOfAText(t *testing.T) {
	for _, c := range []struct {
		text, want, arm64, arm string
	}{
		{"https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl", "amd64", "arm64", "arm"},
		{"https://github.com/protocolbuffers/protobuf/releases/download/v3/protoc-3-linux-x86_64.zip", "x86_64", "aarch_64", ""},
		{"https://github.com/gohugoio/hugo/releases/download/v0.80.0/hugo_0.80.0_Linux-64bit.tar.gz", "64bit", "ARM64", "ARM"},
		{"https://nodejs.org/dist/v20.0.0/node-v20.0.0-linux-x64.tar.xz", "x64", "arm64", "armv7l"},
		{"/usr/lib/x86_64-linux-gnu/libfoo.so", "x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"},
		{"x86_64-unknown-linux-musl", "x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "armv7-unknown-linux-musleabihf"},
		{"/lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3"},
		{"foo_1.0_amd64.deb", "amd64", "arm64", "armhf"},
		{"foo-1.0.el7.x86_64.rpm", "x86_64", "aarch64", "armv7hl"},
		{"tool_Linux_x86_64.tar.gz", "x86_64", "arm64", "armv7"},
		{"tool-linux-x86_64", "x86_64", "aarch64", "armv7l"},
		{"GOARCH=amd64", "amd64", "arm64", "arm"},
		{"linux/amd64", "amd64", "arm64", "arm/v7"},
		{"toollinuxamd64", "", "", ""},
		{"linuxamd64", "amd64", "arm64", "armv7"},
		{"amd64fs", "", "", ""},
		{"0x64", "", "", ""},
		{"an x86 machine", "", "", ""},
		{"foo-x86.tar.gz", "x86", "", ""},
		{"instantclient-basic-linuxx64.zip", "linuxx64", "linux-arm64", ""},
		{"https://micro.mamba.pm/api/micromamba/linux-64/latest", "linux-64", "linux-aarch64", ""},
		{"java-8-openjdk-amd64", "amd64", "arm64", "armhf"},
		{"geckodriver-v0.30.0-linux64.tar.gz", "linux64", "linux-aarch64", ""},
		{"someone@amd64.example", "", "", ""},
		{"linux-386", "386", "", ""}, {"v1.2-386", "", "", ""}, {"linux-arm", "arm", "arm64", "arm"},
	} {
		words := arch.Find(c.text)
		if c.want == "" {
			if len(words) != 0 {
				t.Errorf("%s: %v is found", c.text, words)
			}
			continue
		}
		if len(words) != 1 || words[0].Text != c.want || c.text[words[0].At:words[0].End] != c.want {
			t.Errorf("%s: found %+v, want %s", c.text, words, c.want)
			continue
		}
		if got, _ := words[0].For(platform.MustParse("linux/arm64")); c.arm64 != "" && got != c.arm64 {
			t.Errorf("%s on arm64: %q, want %q", c.text, got, c.arm64)
		}
		if got, _ := words[0].For(platform.MustParse("linux/arm/v7")); c.arm != "" && got != c.arm {
			t.Errorf("%s on arm/v7: %q, want %q", c.text, got, c.arm)
		}
	}
}

func TestSystemsOfAWord(t *testing.T) {
	for text, want := range map[string]string{
		"tool-windows-amd64.exe": "windows", "bin/darwin/amd64/x": "darwin", "linux/amd64/x.exe": "linux", "x86_64-w64-mingw32-gcc": "windows", "protoc-gen-grpc-java-1.0-linux-x86_64.exe": "linux", "foo_amd64": "",
		"aarch64-linux-android21": "android", "-DABI=arm64-v8a": "android", "aarch64-apple-darwin": "darwin",
	} {
		if words := arch.Find(text); len(words) != 1 || words[0].OS != want {
			t.Errorf("%s: %+v, want the system %q", text, words, want)
		}
	}
}
