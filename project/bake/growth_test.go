package bake_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/project/bake"
)

// growing names a file in the environment of a process that reads nothing else.
const growing = "ARCHBUILD_TEST_GROWING"

// TestGrowth: values that double thirty times are refused before they have taken the machine's memory. Each is read in a
// process of its own: what was refused goes on growing until its process ends.
func TestGrowth(t *testing.T) {
	if path := os.Getenv(growing); path != "" {
		_, err := bake.Load(bake.Options{Files: []string{path}, Names: []string{"a"}})
		fmt.Println(err)
		os.Exit(0)
	}
	for name, line := range map[string]string{
		"variables":  "variable \"V%d\" { default = \"${V%d}${V%[2]d}\" }\n",
		"attributes": "V%d = \"${V%d}${V%[2]d}\"\n",
		"lists":      "variable \"V%d\" { default = concat([V%d], [V%[2]d], [V%[2]d]) }\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := "variable \"V0\" { default = \"0123456789\" }\n"
			for i := range 36 {
				text += fmt.Sprintf(line, i+1, i)
			}
			path := filepath.Join(t.TempDir(), "docker-bake.hcl")
			if err := os.WriteFile(path, []byte(text+"target \"a\" { args = { A = jsonencode(V36) } }\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGrowth$")
			again.Env = append(os.Environ(), growing+"="+path)
			said, err := again.CombinedOutput()
			if err != nil || !strings.Contains(string(said), "grow without end") {
				t.Errorf("it is read: %v\n%s", err, said)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it takes %v", took)
			}
		})
	}
}
