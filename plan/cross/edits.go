package cross

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// settings are what go has to know of a target, and what the program is named by in
// a file for every target.
func settings(p platform.Platform) []string {
	list := []string{"GOOS=" + p.OS, "GOARCH=" + p.Arch}
	level := strings.TrimPrefix(p.Variant, "v")
	switch {
	case p.Arch == "arm" && level != "":
		list = append(list, "GOARM="+level)
	case p.Arch == "amd64" && level != "" && level != "1":
		list = append(list, "GOAMD64=v"+level)
	}
	return list
}

// idiom are the same for any target, from the arguments that BuildKit sets.
const (
	idiom          = "GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v}"
	idiomArguments = "ARG TARGETOS TARGETARCH TARGETVARIANT"
	ruleGo         = "go compiles for the target"
	ruleInstall    = "go install puts programs where they are expected"
	ruleArguments  = "the target's platform"
)

// place is where a byte of a command's script stands in the file. It reports false
// where the file says something else there.
func (w *walk) place(c *command, at int, text string) (offset, line int, ok bool) {
	offset, line, ok = c.script.Place(at)
	return offset, line, ok && bytes.HasPrefix(w.Template.Source[offset:], []byte(text))
}

// editable tells whether the settings can be written before a command.
func (w *walk) editable(p *product) bool {
	c := p.command
	at := c.script.Text[min(max(c.at, 0), len(c.script.Text)):]
	if at == "" {
		return false
	}
	first := at[:1]
	if _, _, ok := w.place(c, c.at, first); !ok {
		return false
	}
	if p.install && (c.redirected || c.script.JSON || c.inner || c.wrapped || strings.Contains(c.script.Text[c.from:c.at], "GOPATH")) {
		return false
	}
	return !c.inner || !strings.Contains(c.script.Text, "`")
}

// edits are those of a stage that moves.
func (a *analysis) edits(w *walk) []Edit {
	var list []Edit
	argued := false
	for _, p := range w.products {
		if p.stage != w.stage || !p.crossed() || !w.editable(p) {
			continue
		}
		if a.Idiom && !argued {
			if e, ok := w.arguments(p); ok {
				list = append(list, e)
				argued = true
			}
		}
		list = append(list, w.edit(p)...)
	}
	return order(once(list))
}

// once drops edits of a command that a loop comes past several times.
func once(list []Edit) []Edit {
	seen := map[Edit]bool{}
	out := list[:0]
	for _, e := range list {
		if !seen[e] {
			seen[e] = true
			out = append(out, e)
		}
	}
	return out
}

// arguments declares the platform's arguments before the RUN of a command.
func (w *walk) arguments(p *product) (Edit, bool) {
	for _, step := range w.stepsOf(w.stage) {
		if step.Line != p.line {
			continue
		}
		end := "\n"
		if i := bytes.IndexByte(w.Template.Source, '\n'); i > 0 && w.Template.Source[i-1] == '\r' {
			end = "\r\n"
		}
		at := template.Span{Start: step.Span.Start, End: step.Span.Start}
		return Edit{Span: at, New: idiomArguments + end, Line: p.line, Rule: ruleArguments}, true
	}
	return Edit{}, false
}

// edit writes the settings before one command, and for go install what brings
// its programs from the folder of their platform to where native ones are.
func (w *walk) edit(p *product) []Edit {
	c := p.command
	offset, line, _ := c.script.Place(c.at)
	insert := func(at int, line int, text, rule string) Edit {
		return Edit{Span: template.Span{Start: at, End: at}, New: text, Line: line, Rule: rule}
	}
	set := strings.Join(settings(w.Target), " ")
	folder := w.Target.OS + "_" + w.Target.Arch
	if w.Idiom {
		set, folder = idiom, "${TARGETOS}_${TARGETARCH}"
	}
	if c.script.JSON {
		return []Edit{insert(offset, line, w.argumentsOf(set), ruleGo)}
	}
	if !p.install {
		return []Edit{insert(offset, line, set+" ", ruleGo)}
	}
	from, first, ok := c.script.Place(c.from)
	last, lastLine, ok2 := c.script.Place(c.end - 1)
	if !ok || !ok2 {
		return nil
	}
	// A subshell, for set -e is blind to what fails early in a list within braces.
	bin := `"$(go env GOPATH)/bin`
	before := "( mkdir -p " + bin + `" && ln -sfn . ` + bin + "/" + folder + `" && `
	after := " && rm -f " + bin + "/" + folder + `" )`
	if from == offset {
		return []Edit{insert(offset, line, before+set+" ", ruleGo), insert(last+1, lastLine, after, ruleInstall)}
	}
	return []Edit{insert(from, first, before, ruleInstall), insert(offset, line, set+" ", ruleGo), insert(last+1, lastLine, after, ruleInstall)}
}

// argumentsOf puts settings into the JSON form.
func (w *walk) argumentsOf(set string) string {
	list := append([]string{"env"}, strings.Fields(set)...)
	if w.Idiom {
		list = []string{"sh", "-c", set + ` exec "$@"`, "sh"}
	}
	var b strings.Builder
	for _, text := range list {
		one, _ := json.Marshal(text)
		b.Write(one)
		b.WriteString(", ")
	}
	return b.String()
}
