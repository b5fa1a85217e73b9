package template_test

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// TestScriptsKnowWhereTheyStand: each byte of what a shell is given is found in the
// file, through continuations, comments and heredocs.
func TestScriptsKnowWhereTheyStand(t *testing.T) {
	for name, source := range map[string]string{
		"one line":                   "FROM a\nRUN echo one && echo two\n",
		"flags before it":            "FROM a\nRUN --mount=type=cache,target=/x --network=none echo one\n",
		"continuations and comments": "FROM a\nRUN echo \\\n# no\n\n  one; \\\n\techo two\n",
		"another escape character":   "# escape=`\nFROM a\nRUN echo `\n one\n",
		"CRLF":                       "FROM a\r\nRUN echo \\\r\n one\r\n",
		"a heredoc":                  "FROM a\nRUN <<EOF\necho one\n\n# two\necho three\nEOF\n",
		"a heredoc of a command":     "FROM a\nRUN cat <<A >x <<'B' \\\n && true\none\nA\ntwo\nB\n",
		"an empty heredoc":           "FROM a\nRUN cat <<A\nA\n",
		"JSON":                       "FROM a\nRUN [ \"echo\", \\\n \"one\" ]\n",
	} {
		t.Run(name, func(t *testing.T) {
			read, err := template.Parse("Dockerfile", []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			steps := read.Steps(0)
			script, ok := read.Script(steps[0])
			if len(steps) != 1 || !ok || script.JSON != (name == "JSON") {
				t.Fatalf("%+v, %t", steps, ok)
			}
			run := steps[0].Command.(*instructions.RunCommand)
			if !script.JSON && len(run.Files) == 0 && script.Text != run.CmdLine[0] || script.Heredoc && script.Text != run.Files[0].Data {
				t.Errorf("BuildKit runs another script than %q", script.Text)
			}
			for i := range script.Text {
				offset, line, ok := script.Place(i)
				if !ok && script.Text[i] == '\n' {
					continue // between a command and its heredocs
				}
				if !ok || source[offset] != script.Text[i] || line != 1+strings.Count(source[:offset], "\n") {
					t.Errorf("byte %d of %q: %d, line %d, %t", i, script.Text, offset, line, ok)
				}
			}
		})
	}
}

func TestExpandSaysWhatItDoesNotKnow(t *testing.T) {
	read, err := template.Parse("Dockerfile", []byte("ARG G=1\nARG N\nFROM a\n"))
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) (string, bool) { return "v", name == "V" }
	for text, want := range map[string]string{
		"plain": "plain", "$V": "v", "a${V}b": "avb", "'$V'": "$V", `"$V"`: "v",
		"$X": "", "${X:-d}": "", "${V/v/w}": "", strings.Repeat("$V", 100): "",
	} {
		if got, ok := read.Expand(text, known); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
	if v, ok := read.Global(template.Env{}, "G"); v != "1" || !ok {
		t.Errorf("%q, %t", v, ok)
	}
	if _, ok := read.Global(template.Env{}, "N"); ok {
		t.Error("an ARG without a value has one")
	}
}

func TestTabsOfAHeredocAreTakenAway(t *testing.T) {
	for _, source := range []string{
		"FROM a\nRUN <<-EOF\n\techo a\n\t\techo b\n\tEOF\n",
		"FROM a\nRUN cat <<-EOF > /f\n\techo a\n\t\techo b\n\tEOF\n",
	} {
		tmpl, err := template.Parse("Dockerfile", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		step := tmpl.Steps(0)[0]
		if _, ok := tmpl.Script(step); ok {
			t.Error("Script gives a text whose tabs are gone")
		}
		script, ok := tmpl.TabbedScript(step)
		if !ok || !strings.Contains(script.Text, "echo a\necho b\n") {
			t.Fatalf("%v %q", ok, script.Text)
		}
		for i := range script.Text {
			if offset, _, ok := script.Place(i); ok && source[offset] != script.Text[i] {
				t.Errorf("byte %d of %q is not the one at %d", i, script.Text, offset)
			}
		}
	}
}
