package e2e_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// Every example builds as it stands, and what comes out is for the platforms it says.
func TestExamplesBuildForTheirPlatforms(t *testing.T) {
	both := []string{"--platform", "linux/amd64,linux/arm64"}
	tests := []struct {
		example string
		args    []string
		file    string
		want    map[string]elf.Machine // platform → machine of the file
		says    []string               // what the steps print
	}{
		{example: "hello", args: both, file: "/hello", want: map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64},
			says: []string{"aarch64", "hello from linux/arm64", "hello from linux/amd64"}},
		{example: "apt", args: both, file: "/usr/bin/hello", want: map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64},
			says: []string{"Hello, world!"}},
		{example: "mapped", file: "/usr/bin/dash", want: map[string]elf.Machine{
			"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64, "linux/arm/v7": elf.EM_ARM},
			says: []string{"x86_64", "aarch64", "armv7l"}},
		{example: "args", file: "/usr/local/bin/tool", want: map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64},
			says: []string{"hello, this is", "tool 1.0 for x86_64", "tool 1.0 for aarch64"}},
		{example: "foreign-binary", args: []string{"--platform", "linux/amd64"}, file: "/usr/local/bin/report",
			want: map[string]elf.Machine{"linux/amd64": elf.EM_X86_64}},
	}
	for _, tt := range tests {
		t.Run(tt.example, func(t *testing.T) {
			dir := t.TempDir()
			r := run(dir, append([]string{example(t, tt.example), "--progress", "plain"}, tt.args...)...)
			if r.status != 0 {
				t.Fatalf("exit status %d\n%s", r.status, r.stderr)
			}
			layout := filepath.Join(dir, "archbuild-out", tt.example)
			got := map[string]elf.Machine{}
			for _, platform := range indexPlatforms(t, layout) {
				got[platform] = machine(t, layout, platform, tt.file)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("machine of %s by platform (-want +got):\n%s", tt.file, diff)
			}
			for _, text := range tt.says {
				if !strings.Contains(r.stderr, text) {
					t.Errorf("no step printed %q:\n%s", text, r.stderr)
				}
			}
		})
	}
}

func TestForeignBinaryIsStopped(t *testing.T) {
	dir := t.TempDir()
	r := run(dir, example(t, "foreign-binary"), "--platform", "linux/amd64,linux/arm64")
	if r.status != 3 {
		t.Errorf("exit status %d, want 3", r.status)
	}
	for _, text := range []string{"linux/arm64", "usr/local/bin/report", "COPY bin/report"} {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("the report does not name %q:\n%s", text, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "archbuild-out", "foreign-binary")); err == nil {
		t.Error("a result was left for an image that failed verification")
	}
}

// The index is read by a program that is not ours.
func indexPlatforms(t *testing.T, layout string) []string {
	t.Helper()
	raw, err := exec.Command("skopeo", "inspect", "--raw", "oci:"+layout).Output()
	if err != nil {
		t.Fatalf("skopeo cannot read the layout: %v", err)
	}
	var index struct {
		Manifests []struct {
			Platform struct{ OS, Architecture, Variant string }
		}
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range index.Manifests {
		platform := m.Platform.OS + "/" + m.Platform.Architecture
		if m.Platform.Variant != "" {
			platform += "/" + m.Platform.Variant
		}
		list = append(list, platform)
	}
	return list
}

func machine(t *testing.T, layout, platform, file string) elf.Machine {
	t.Helper()
	var content bytes.Buffer
	if err := fixtures.Cat(&content, layout, platform, file); err != nil {
		t.Fatal(err)
	}
	program, err := elf.NewFile(bytes.NewReader(content.Bytes()))
	if err != nil {
		t.Fatalf("%s of %s: %v", file, platform, err)
	}
	return program.Machine
}
