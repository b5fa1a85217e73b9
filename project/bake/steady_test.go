package bake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/project/bake"
)

// A file with several mistakes says the same one each time: the first.
func TestTheSameMistakeEachTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, text, want string }{
		{"variables in two circles", "docker-bake.hcl", "variable \"A\" {\n  default = B\n}\nvariable \"B\" { default = A }\nvariable \"C\" { default = D }\nvariable \"D\" { default = C }\n", "docker-bake.hcl:2: a cycle: A → B → A"},
		{"variables that lead to a circle", "docker-bake.hcl", "variable \"X\" { default = A }\nvariable \"A\" { default = B }\nvariable \"B\" { default = A }\n", "docker-bake.hcl:2: a cycle: A → B → A"},
		{"names that nobody has", "docker-bake.hcl", "variable \"A\" { default = upper(X1) }\nvariable \"B\" { default = upper(X2) }\nvariable \"C\" { default = upper(X3) }\n", "docker-bake.hcl:1: there is no variable named \"X1\""},
		{"names that nobody has, one in what the first needs", "docker-bake.hcl", "variable \"A\" { default = \"${B}${X1}\" }\nvariable \"B\" { default = upper(X2) }\n", "docker-bake.hcl:2: there is no variable named \"X2\""},
		{"functions and variables", "docker-bake.hcl", "x = f(\"a\")\ny = g(\"a\")\nfunction \"g\" {\n  params = [v]\n  result = nobody(v)\n}\nfunction \"f\" {\n  params = [v]\n  result = noone(v)\n}\n", "docker-bake.hcl:9: function \"noone\" does not exist"},
		{"a validation that asks for another variable", "docker-bake.hcl", "variable \"B\" {\n  default = \"b\"\n  validation {\n    condition = A == B\n    error_message = \"not A\"\n  }\n}\nvariable \"A\" { default = \"a\" }\nvariable \"C\" {\n  default = \"c\"\n  validation {\n    condition = false\n    error_message = \"never\"\n  }\n}\n", "docker-bake.hcl:4: validation failed: not A"},
		{"attributes of two wrong kinds", "docker-bake.hcl", "b = upper([])\na = upper({})\n", "docker-bake.hcl:1: "},
		{"JSON", "docker-bake.json", "{\n\"variable\": {\n\"A\": {\"default\": \"${upper(B)}\"},\n\"B\": {\"default\": \"${lower(A)}\"},\n\"C\": {\"default\": \"${D}\"},\n\"D\": {\"default\": \"${C}\"}\n}\n}\n", "docker-bake.json:3: a cycle: A → B → A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				_, err := bake.Read(bake.Options{Files: []string{file}})
				if err == nil {
					t.Fatal("it is read")
				}
				if got := strings.TrimPrefix(err.Error(), filepath.Dir(file)+"/"); !strings.HasPrefix(got, test.want) {
					t.Fatalf("got  %s\nwant %s…", got, test.want)
				}
			}
		})
	}
}
