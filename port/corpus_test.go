package port_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/port"
	"github.com/archbuild/archbuild/template"
)

func TestShow(t *testing.T) {
	files, _ := filepath.Glob("../lint/testdata/corpus/" + os.Getenv("ONLY") + "*.txtar")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		a := txtar.Parse(data)
		var source, want, config []byte
		for _, f := range a.Files {
			switch f.Name {
			case "Dockerfile":
				source = f.Data
			case "want":
				want = f.Data
			case "archbuild.yaml":
				config = f.Data
			}
		}
		tpl, err := template.Parse("Dockerfile", source)
		if err != nil {
			continue
		}
		var findings []lint.Finding
		for _, line := range strings.Split(string(want), "\n") {
			line, _, _ = strings.Cut(line, "#")
			f := strings.Fields(line)
			if len(f) == 3 {
				n, _ := strconv.Atoi(f[0])
				findings = append(findings, lint.Finding{ID: f[2], Severity: lint.Severity(f[1]), Line: n, File: "Dockerfile"})
			}
		}
		out, err := port.Dockerfile(port.Request{Template: tpl, Findings: findings, Config: config,
			Platforms: []platform.Platform{platform.MustParse("amd64"), platform.MustParse("arm64")}})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(findings) == 0 && len(out.Done) == 0 {
			continue
		}
		t.Logf("=== %s: %d of %d\n%s%s%v", filepath.Base(file), len(out.Done), len(findings), diff.Diff("a/Dockerfile", source, "b/Dockerfile", out.Source), diff.Diff("a/archbuild.yaml", config, "b/archbuild.yaml", out.Config), out.Gaps)
	}
}
