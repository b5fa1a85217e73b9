package port

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/template"
)

// slot is a place that gets another text on each platform.
type slot struct {
	span   template.Span
	quote  quoting
	whole  bool
	values choice
	// own is the platform whose text stands there.
	own int
	// names for a variable, the best first.
	names    []string
	about    string
	findings []int
	// asks is the command that stands there, which asks for the machine; or empty.
	asks string
	// build says that it is about the machine that builds.
	build bool
	// sum says that it is a checksum.
	sum bool
}

// run is a RUN while it is ported.
type run struct {
	*work
	stage, step int
	script      template.Script
	words       []word
	slots       []slot
	// vars are the names of the script's variables: each RUN has its own.
	vars names
}

// run ports a RUN.
func (w *work) run(stage, step int) {
	script, ok := w.t.Script(w.steps[stage][step])
	if !ok || script.JSON || !w.inShell(stage, step, script) {
		return
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script.Text), "")
	if err != nil {
		return
	}
	r := &run{work: w, stage: stage, step: step, script: script, words: words(script.Text, file), vars: names{source: w.names.source, taken: map[string]string{}}}
	r.literals()
	r.unnamed()
	r.asked(file)
	r.sums()
	w.add(r.change(file))
}

// inShell says whether a script is read by a shell of the Bourne kind.
func (w *work) inShell(stage, step int, script template.Script) bool {
	if first, _, _ := strings.Cut(script.Text, "\n"); script.Heredoc && strings.HasPrefix(first, "#!") {
		return regexp.MustCompile(`[/ ](ba|da|a|z|k)?sh\b`).MatchString(first)
	}
	for i := step; i >= 0; i-- {
		if s, ok := w.steps[stage][i].Command.(*instructions.ShellCommand); ok {
			return len(s.Shell) > 0 && slices.Contains([]string{"sh", "bash", "ash", "dash", "zsh", "ksh"}, path.Base(s.Shell[0]))
		}
	}
	return !slices.ContainsFunc(w.Platforms, notLinux)
}

// literals finds the words for an architecture.
func (r *run) literals() {
	for _, word := range r.words {
		for _, found := range arch.Find(word.raw) {
			at, end := word.at+found.At, word.at+found.End
			piece, ok := word.piece(at, end)
			if !ok {
				continue
			}
			span, ok := source(r.script, at, end)
			if !ok {
				continue
			}
			whole, ok := source(r.script, word.at, word.end)
			if !ok || strings.ContainsAny(word.raw, " \t\n") { // a text of many words
				whole = span
			}
			findings := r.about(whole, span)
			stem := stemOf(word.raw, found)
			_, follows := r.stems[stem]
			if len(findings) == 0 && !follows || r.kept[stem] || !replaceable(word.raw, found) {
				continue
			}
			values, own, ok := r.called(found)
			if !ok {
				continue
			}
			values, own = r.remember(stem, word.raw, values, own)
			names := []string{"ARCH"}
			if p := upper(project(word.raw)); p != "" && found.Text != word.raw {
				names = append(names, p+"_ARCH")
			}
			names = append(names, "MACHINE")
			r.slots = append(r.slots, slot{
				span: span, quote: piece.quote, whole: piece.quote == bare && at == word.at && end == word.end,
				values: values, own: own, names: names, about: aboutOf(word.raw), findings: findings, build: r.forBuild(r.stage, findings),
			})
		}
	}
}

// options of compilers name a machine in words of their own, which no scheme knows.
var options = regexp.MustCompile(`-m(arch|tune|cpu)=["']?$`)

// replaceable says whether another machine's word can stand in the place of one.
func replaceable(raw string, found arch.Word) bool {
	return (found.OS == "" || found.OS == "linux") && !options.MatchString(raw[:found.At])
}

// forBuild says whether findings are about the machine that builds: warnings in a stage that
// is put on its platform.
func (w *work) forBuild(stage int, findings []int) bool {
	for _, i := range findings {
		if w.Findings[i].Severity != lint.Warning {
			return false
		}
	}
	return len(findings) > 0 && w.onBuild(stage)
}

// onBuild says whether a stage, or one that it starts from, is put on the build platform.
func (w *work) onBuild(stage int) bool {
	for range w.t.Stages {
		s := w.t.Stages[stage]
		if ref := w.t.References[s.Base]; ref.Kind == template.StageKind && ref.Target < stage {
			stage = ref.Target
			continue
		}
		return strings.Contains(s.PlatformFlag, "BUILDPLATFORM")
	}
	return false
}

// called is how an architecture's word is for each platform, and for which it is meant.
func (w *work) called(found arch.Word) (values choice, own int, ok bool) {
	own = -1
	some := false
	for i, p := range w.Platforms {
		text, known := found.For(p)
		values = append(values, value{text: text, none: !known})
		if known && text == found.Text && own < 0 {
			own = i
		}
		some = some || known && text != found.Text
	}
	return values, own, own >= 0 && some
}

// change makes the edits of a RUN from its slots.
func (r *run) change(file *syntax.File) change {
	c := change{stage: r.stage, step: r.step, was: map[string]string{}, written: -1}
	for _, name := range []string{"TARGETARCH", "BUILDARCH"} {
		if r.assigns(file, name) || r.setsEnv(r.stage, name) {
			return c
		}
	}
	if len(r.slots) == 0 {
		return c
	}
	c.written = r.slots[0].own
	prefix := "TARGET"
	if r.slots[0].build {
		prefix = "BUILD"
	}
	var vars []named
	about := ""
	for _, s := range r.slots {
		s.values = s.missing(r.Platforms)
		if s.own != c.written || s.build != r.slots[0].build {
			return change{}
		}
		name := prefix + "ARCH"
		if !s.values.isArch(r.Platforms) {
			name = r.vars.take(s.values.key(), s.names...)
			if !slices.ContainsFunc(vars, func(v named) bool { return v.name == name }) {
				vars = append(vars, named{name, s.values})
			}
			if about == "" || about == nobody {
				about = s.about
			}
		}
		c.was[name] = s.values[s.own].text
		if s.asks != "" {
			c.was[s.asks] = c.was[name]
		}
		c.edits = append(c.edits, r.inQuotes(edit{s.span, variable(name, s.quote, s.whole)}, s.quote))
		c.findings = append(c.findings, s.findings...)
	}
	c.declares = []string{prefix + "ARCH"}
	if len(vars) > 0 {
		if variants(r.Platforms) {
			c.declares = append(c.declares, prefix+"VARIANT")
		}
		e, ok := r.insertion(prefix, vars, about)
		if !ok {
			return change{}
		}
		c.edits = append(c.edits, e)
		c.gaps = r.gaps(vars)
	}
	return c
}

// insertion is the case before the script's commands.
func (r *run) insertion(prefix string, vars []named, about string) (edit, bool) {
	text := r.script.Text
	at := 0
	if r.script.Heredoc && strings.HasPrefix(text, "#!") {
		at = strings.IndexByte(text, '\n') + 1
	}
	at += len(settings.FindString(text[at:]))
	offset, _, ok := r.script.Place(at)
	if !ok || at >= len(text) {
		return edit{}, false
	}
	s := styleOf(r.text(r.steps[r.stage][r.step].Span), r.script)
	return edit{template.Span{Start: offset, End: offset}, s.chooses(prefix, vars, r.Platforms, about) + s.end()}, true
}

// gaps are the values that are missing among variables.
func (r *run) gaps(vars []named) []Gap {
	var list []Gap
	for _, v := range vars {
		for i, p := range r.Platforms {
			if what := v.values[i].missing; what != "" {
				list = append(list, Gap{File: r.t.File, Platform: p, What: what, mark: v.values[i].quoted()})
			}
		}
	}
	return list
}

// assigns says whether a script sets a variable.
func (r *run) assigns(file *syntax.File, name string) bool {
	found := false
	syntax.Walk(file, func(n syntax.Node) bool {
		if a, ok := n.(*syntax.Assign); ok && a.Name != nil && a.Name.Value == name {
			found = true
		}
		return !found
	})
	return found
}
