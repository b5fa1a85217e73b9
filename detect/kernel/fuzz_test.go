package kernel_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/archbuild/archbuild/detect"
)

// FuzzFiles: whatever the files of a machine say, every check is whole, each question
// is asked once, and the answer is the same twice.
func FuzzFiles(f *testing.F) {
	machines, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range machines {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var config, cgroups, dep, cmdline []byte
		for _, part := range archive.Files {
			switch name := filepath.Base(part.Name); {
			case name == "cgroups":
				cgroups = part.Data
			case name == "modules.dep":
				dep = part.Data
			case name == "cmdline":
				cmdline = part.Data
			case name == "config.gz" || name == "config" || filepath.Dir(part.Name) == "boot":
				config = part.Data
			}
		}
		f.Add(config, cgroups, dep, cmdline, "6.1.0")
	}
	f.Fuzz(func(t *testing.T, config, cgroups, dep, cmdline []byte, release string) {
		root := t.TempDir()
		for name, data := range map[string][]byte{
			"proc/config.gz": config, "proc/cgroups": cgroups, "proc/cmdline": cmdline, "proc/modules": dep,
			"proc/sys/kernel/osrelease": []byte(release), "lib/modules/6.1.0/modules.dep": dep, "lib/modules/6.1.0/modules.builtin": dep,
		} {
			full := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		o := detect.Options{Root: root}
		first, again := checks(t, o), checks(t, o)
		seen := map[string]bool{}
		for i, c := range first {
			if fault := wellFormed(c); fault != "" || c.Name == "" || c.Group == "" {
				t.Errorf("%s: %+v", fault, c)
			}
			if seen[c.Name] || c != again[i] {
				t.Errorf("asked twice, or answered otherwise: %+v, %+v", c, again[i])
			}
			seen[c.Name] = true
		}
	})
}
