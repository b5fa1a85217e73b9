package script_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/template"
)

// shown is a command in a line: marks, name, arguments.
func shown(c script.Command) string {
	var b strings.Builder
	if c.Chosen {
		b.WriteString("chosen ")
	}
	if c.Condition {
		b.WriteString("if ")
	}
	if c.Inner {
		b.WriteString("inner ")
	}
	fmt.Fprintf(&b, "%d:", c.Line)
	for _, a := range c.Assigns {
		b.WriteString(" " + a.Name + "=" + a.Value.Text)
	}
	if c.Name != "" {
		b.WriteString(" " + c.Name)
	}
	for _, w := range c.Args {
		b.WriteString(" " + w.Text)
		if w.Varying {
			b.WriteString("*")
		}
	}
	for _, w := range c.Into {
		b.WriteString(" >" + w.Text)
	}
	return b.String()
}

func read(t *testing.T, dockerfile string) (*template.Template, script.File) {
	t.Helper()
	tmpl, err := template.Parse("Dockerfile", []byte(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl, script.Walk(tmpl, script.Options{})
}

func TestCommandsOfAFile(t *testing.T) {
	for _, c := range []struct{ name, dockerfile, want string }{
		{"variables of ENV and ARG", "FROM a\nARG V=1\nENV U=http://x/$V\nRUN curl $U/a-${V}.tgz | tar x", "4: curl http://x/1/a-1.tgz|4: tar x"},
		{"global ARG", "ARG V=1\nFROM a\nARG V\nRUN echo $V", "4: echo 1"},
		{"case", "FROM a\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) A=x ;; arm64) A=y ;; esac; curl $A", "chosen 3: A=x|chosen 3: A=y|3: curl ${A}*"},
		{"uname in a variable", "FROM a\nRUN A=$(uname -m) && \\\n  curl $A/f", "inner 2: uname -m|2: A=$()|3: curl ${A}/f*"},
		{"if by machine", "FROM a\nRUN if [ \"$(uname -m)\" = x86_64 ]; then curl b; else curl c; fi; curl d", "inner 2: uname -m|if 2: [ $()* = x86_64 ]|chosen 2: curl b|chosen 2: curl c|2: curl d"},
		{"others are sent away", "FROM a\nRUN [ $(uname -m) = x86_64 ] || exit 0; curl d", "inner 2: uname -m|if 2: [ $()* = x86_64 ]|chosen 2: exit 0|chosen 2: curl d"},
		{"loop", "FROM a\nRUN for a in x y; do curl $a; done", "2: curl x|2: curl y"},
		{"loop over machines", "FROM a\nRUN for a in amd64 arm64; do curl $a; done", "chosen 2: curl ${a}*"},
		{"function", "FROM a\nRUN get() { curl http://$1; }; get h/amd64", "2: get h/amd64|2: curl http://h/amd64"},
		{"inner shell", "FROM a\nRUN bash -c 'curl x && \\\n curl y'", "2: curl x|3: curl y"},
		{"wrapped", "FROM a\nRUN sudo -E env GOARCH=amd64 go build", "2: GOARCH=amd64 go build"},
		{"export", "FROM a\nRUN export A=1 && echo $A", "2: A=1 export|2: echo 1"},
		{"heredoc", "FROM a\nRUN <<EOF\nset -e\ncurl x\nEOF", "3: set -e|4: curl x"},
		{"file written", "FROM a\nRUN cat <<EOF > /f\namd64\nEOF\n", "2: cat >/f"},
		{"JSON", "FROM a\nRUN [\"curl\", \"x\"]\nRUN [\"sh\", \"-c\", \"curl y\"]", "2: curl x|3: curl y"},
		{"default", "FROM a\nRUN curl ${U:-http://x}", "2: curl http://x"},
		{"suffix", "FROM a\nENV U=http://x/f.tgz\nRUN tar xf ${U##*/} ; cd ${U%.tgz}", "3: tar xf f.tgz|3: cd http://x/f"},
		{"continuations and comments", "FROM a\nRUN set -eux; \\\n# amd64\n\\\n   curl \\\n   x", "2: set -eux|5: curl x"},
		{"ONBUILD and others", "FROM a\nWORKDIR /x\nRUN [ -n \"$X\" ] && curl x", "if 3: [ -n ${X} ]|3: curl x"},
	} {
		_, file := read(t, c.dockerfile)
		var got []string
		for _, s := range file.Stages {
			for _, in := range s.Instructions {
				for _, cmd := range in.Script.Commands {
					got = append(got, shown(cmd))
				}
			}
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, strings.Join(got, "|"), c.want)
		}
	}
}

func TestWordsLeadToWhereTheyAreWritten(t *testing.T) {
	tmpl, file := read(t, "ARG M=amd64\nFROM a\nARG M\nENV U=\"http://x/linux-$M\"\nRUN B=$U/f && \\\n  curl \"$B.tgz\"\n")
	cmds := file.Stages[0].Instructions[2].Script.Commands
	w := cmds[1].Args[0]
	if w.Text != "http://x/linux-amd64/f.tgz" {
		t.Fatal(w.Text)
	}
	at, end, ok := w.Place(strings.Index(w.Text, "amd64"), strings.Index(w.Text, "amd64")+5)
	if !ok || string(tmpl.Source[at:end]) != "amd64" || at != 6 {
		t.Errorf("amd64 is placed at %d to %d", at, end)
	}
	if string(tmpl.Source[w.At:w.End]) != `"$B.tgz"` || w.Quote != '"' {
		t.Errorf("the word is %q", tmpl.Source[w.At:w.End])
	}
}
