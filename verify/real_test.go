package verify_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

// compile builds a three-line program for a platform with the Go toolchain that
// runs the test.
func compile(t *testing.T, env ...string) []byte {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module hello\n", "main.go": "package main\n\nfunc main() { println(\"hello\") }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "hello", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}, env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	body, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestRealPrograms compiles for one platform and looks at the result as an
// image of another.
func TestRealPrograms(t *testing.T) {
	programs := map[string][]byte{
		"linux/amd64":  compile(t, "GOOS=linux", "GOARCH=amd64"),
		"linux/arm64":  compile(t, "GOOS=linux", "GOARCH=arm64"),
		"linux/arm/v6": compile(t, "GOOS=linux", "GOARCH=arm", "GOARM=6"),
		"linux/arm/v7": compile(t, "GOOS=linux", "GOARCH=arm", "GOARM=7"),
	}
	for _, row := range []struct{ program, image, found string }{
		{"linux/amd64", "linux/amd64", ""},
		{"linux/arm64", "linux/arm64", ""},
		{"linux/amd64", "linux/arm64", "linux/amd64 (ELF x86-64)"},
		{"linux/arm64", "linux/amd64", "linux/arm64 (ELF AArch64)"},
		{"linux/arm/v6", "linux/arm/v7", ""},
		{"linux/arm/v7", "linux/arm/v7", ""},
		{"linux/arm/v7", "linux/arm/v6", "linux/arm/v7 (ELF ARM)"},
		{"linux/arm/v6", "linux/arm/v5", "linux/arm/v6 (ELF ARM)"},
		{"linux/arm/v7", "linux/arm64", "linux/arm (ELF ARM)"},
	} {
		t.Run(row.program+" in "+row.image, func(t *testing.T) {
			label := platform.MustParse(row.image)
			img := imageOf(t, label, entrypoint("/app"), layerOf(t, exe("app", programs[row.program])))
			report := look(t, img, verify.Options{Platform: label})
			var got string
			for _, f := range report.Findings {
				got += f.Found
			}
			if diff := cmp.Diff(row.found, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// TestThisMachinesPrograms asks debug/elf for a second opinion on what is
// installed here.
func TestThisMachinesPrograms(t *testing.T) {
	var files []file
	for _, pattern := range []string{"/bin/*", "/usr/lib/*-linux-gnu*/lib*.so.*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			f, err := elf.Open(name)
			if err != nil || len(files) == 60 {
				continue
			}
			machine := f.Machine
			f.Close()
			if host := platform.Host().Names(); machine == elf.Machine(host.Machine) {
				if body, err := os.ReadFile(name); err == nil && len(body) < 2<<20 {
					files = append(files, exe("usr/bin/"+filepath.Base(name), body))
				}
			}
		}
	}
	if len(files) == 0 {
		t.Log("no ELF programs of this machine were found")
		return
	}
	report := look(t, imageOf(t, platform.Host(), command("sh"), layerOf(t, files...)), verify.Options{Platform: platform.Host()})
	if len(report.Findings) > 0 || report.Programs == 0 {
		t.Errorf("%d programs, findings: %v", report.Programs, found(report))
	}
}
