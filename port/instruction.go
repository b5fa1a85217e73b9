package port

import (
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// instruction ports one instruction of a stage.
func (w *work) instruction(stage, step int) {
	switch c := w.steps[stage][step].Command.(type) {
	case *instructions.RunCommand:
		w.run(stage, step)
		w.caches(stage, step)
	case *instructions.EnvCommand:
		w.add(w.worded(stage, step))
	case *instructions.WorkdirCommand:
		w.add(w.worded(stage, step))
	case *instructions.ArgCommand:
		w.add(w.argument(stage, step, w.steps[stage][step].Span))
	case *instructions.AddCommand:
		if len(c.SourceContents) == 0 && w.hasAll(stage, step, c.SourcePaths) {
			w.add(w.worded(stage, step))
		}
	case *instructions.CopyCommand:
		if len(c.SourceContents) == 0 && (c.From != "" || w.hasAll(stage, step, c.SourcePaths)) {
			w.add(w.worded(stage, step))
		}
	}
}

// keep notes the files of the context that stay what they are called.
func (w *work) keep() {
	for stage, steps := range w.steps {
		for step, s := range steps {
			var paths []string
			switch c := s.Command.(type) {
			case *instructions.EntrypointCommand, *instructions.CmdCommand, *instructions.HealthCheckCommand:
				w.keepTokens(s)
			case *instructions.RunCommand:
				if !c.PrependShell {
					w.keepTokens(s)
				}
			case *instructions.AddCommand:
				paths = c.SourcePaths
			case *instructions.CopyCommand:
				if c.From == "" {
					paths = c.SourcePaths
				}
			}
			if len(paths) == 0 || w.hasAll(stage, step, paths) {
				continue
			}
			for _, path := range paths {
				for _, found := range arch.Find(path) {
					w.kept[stemOf(path, found)] = !w.isURL(stage, step, path)
				}
			}
		}
	}
	delete(w.kept, "")
}

// keepTokens notes the names in a command that holds no variables.
func (w *work) keepTokens(s template.Step) {
	for _, t := range w.tokens(s.Span) {
		for _, found := range arch.Find(t.raw) {
			w.kept[stemOf(t.raw, found)] = true
		}
	}
}

// hasAll says whether the context has what would be taken from it on each platform.
func (w *work) hasAll(stage, step int, paths []string) bool {
	for _, path := range paths {
		if w.isURL(stage, step, path) {
			continue
		}
		for _, found := range arch.Find(path) {
			values, _, ok := w.called(found)
			if !ok || w.Has == nil || strings.Contains(path, "$") {
				return false
			}
			for _, v := range values {
				if v.none || !w.Has(path[:found.At]+v.text+path[found.End:]) {
					return false
				}
			}
		}
	}
	return true
}

// token is a run of letters without blanks in an instruction.
type token struct {
	span  template.Span
	raw   string
	quote quoting // at its begin
}

// tokens lists those of an instruction, its name left out. Comments between its lines are none.
func (w *work) tokens(span template.Span) []token {
	var list []token
	at := span.Start
	var quote byte
	for _, line := range strings.SplitAfter(w.text(span), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			begin, before := -1, quote
			for i := 0; i <= len(line); i++ {
				if i == len(line) || strings.IndexByte(" \t\r\n", line[i]) >= 0 {
					if begin >= 0 {
						list = append(list, token{template.Span{Start: at + begin, End: at + i}, line[begin:i], quoting(before)})
					}
					begin = -1
					continue
				}
				if begin < 0 {
					begin, before = i, quote
				}
				switch {
				case quote == 0 && (line[i] == '"' || line[i] == '\''):
					quote = line[i]
				case quote == line[i]:
					quote = 0
				}
			}
		}
		at += len(line)
	}
	if len(list) > 0 {
		list = list[1:]
	}
	return list
}

// quoteAt is the quote that a byte of a token stands in.
func (t token) quoteAt(at int) quoting {
	quote := byte(t.quote)
	for i := range at {
		switch {
		case quote == 0 && (t.raw[i] == '"' || t.raw[i] == '\''):
			quote = t.raw[i]
		case quote == t.raw[i]:
			quote = 0
		}
	}
	return quoting(quote)
}

// key is what a token gives a value to: the name before its first =.
func (t token) key() string {
	name, _, found := strings.Cut(t.raw, "=")
	if !found || strings.ContainsAny(name, "/:$\"'-") {
		return ""
	}
	return name
}

// slotsOf finds what differs by platform in an instruction without a shell.
func (w *work) slotsOf(span template.Span) []slot {
	var list []slot
	tokens := w.tokens(span)
	key := ""
	for i, t := range tokens {
		if k := t.key(); k != "" {
			key = k
		} else if i == 0 {
			key = ""
			if len(tokens) > 1 && plainName.MatchString(t.raw) { // ENV KEY VALUE
				key = t.raw
			}
		}
		list = append(list, w.tokenSlots(t, key)...)
		if s, ok := w.unnamedSlot(t.raw, t.span, t.quoteAt(0)); ok {
			list = append(list, s)
		}
	}
	return append(list, w.tokenSums(tokens, list)...)
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tokenSlots finds the words for an architecture in a token.
func (w *work) tokenSlots(t token, key string) []slot {
	var list []slot
	for _, found := range arch.Find(t.raw) {
		span := template.Span{Start: t.span.Start + found.At, End: t.span.Start + found.End}
		findings := w.about(t.span, span)
		stem := stemOf(t.raw, found)
		_, follows := w.stems[stem]
		if len(findings) == 0 && !follows || w.kept[stem] || !replaceable(t.raw, found) {
			continue
		}
		values, own, ok := w.called(found)
		if !ok {
			continue
		}
		values, own = w.remember(stem, t.raw, values, own)
		list = append(list, slot{span: span, quote: t.quoteAt(found.At), values: values, own: own, names: tableNames(key, t.raw, "ARCH"), findings: findings})
	}
	return list
}

// tableNames are names for an ARG: of what it is for, and for what it says.
func tableNames(key, raw, what string) []string {
	var list []string
	for _, name := range []string{key, upper(project(strings.Trim(raw, `"',[]`)))} {
		if name == "" || name == what {
			continue
		}
		if strings.HasSuffix(name, "_"+what) {
			name += "_NAME"
			list = append(list, name)
			continue
		}
		list = append(list, name+"_"+what)
	}
	return append(list, "TARGET_"+what)
}

// worded puts ARGs in place of what differs in an instruction that has no shell.
func (w *work) worded(stage, step int) change {
	c := change{stage: stage, step: step, was: map[string]string{}, written: -1}
	slots := w.slotsOf(w.steps[stage][step].Span)
	if len(slots) == 0 || w.setsEnv(stage, "TARGETARCH") {
		return c
	}
	c.written = slots[0].own
	for _, s := range slots {
		if s.own != c.written {
			return change{}
		}
		name := "TARGETARCH"
		if s.values.isArch(w.Platforms) {
			c.declares = append(c.declares, name)
		} else {
			name = w.names.take(s.values.key(), s.names...)
			c.declares = append(c.declares, name+"="+s.values[s.own].text)
			c.fill(w, name, s)
		}
		c.was[name] = s.values[s.own].text
		c.edits = append(c.edits, w.inQuotes(edit{s.span, variable(name, s.quote, false)}, s.quote))
		c.findings = append(c.findings, s.findings...)
	}
	return c
}

// fill gives an ARG its values on the other platforms.
func (c *change) fill(w *work, name string, s slot) {
	for i, p := range w.Platforms {
		v := s.values[i]
		if i == s.own || v == s.values[s.own] {
			continue
		}
		if v.none {
			v.missing = "what " + p.String() + " is called in place of " + s.values[s.own].text
		}
		a := Arg{Name: name, Value: v.text, Platform: p}
		if v.missing != "" {
			a.Value = Missing + v.missing
			c.gaps = append(c.gaps, Gap{File: ConfigName, Platform: p, What: v.missing, mark: name + ": " + scalar(a.Value)})
		}
		c.args = append(c.args, a)
	}
}

// automatic are the ARGs that BuildKit sets by itself.
var automatic = []string{"TARGETARCH", "TARGETPLATFORM", "TARGETOS", "TARGETVARIANT", "BUILDARCH", "BUILDPLATFORM", "BUILDOS", "BUILDVARIANT"}

// argument ports an ARG: its default is what the platform that it was written for has.
func (w *work) argument(stage, step int, span template.Span) change {
	c := change{stage: stage, step: step, was: map[string]string{}, written: -1}
	values := map[string][]slot{}
	var order []token
	tokens := w.tokens(span)
	for _, t := range tokens {
		key := t.key()
		if slices.Contains(automatic, key) && len(w.flagged(t.span.Start, t.span.End, "arch-literal", "base-one-arch")) > 0 {
			at := t.span.Start + len(key)
			c.edits = append(c.edits, edit{span: template.Span{Start: at, End: t.span.End}})
			c.findings = append(c.findings, w.flagged(t.span.Start, t.span.End, "arch-literal", "base-one-arch")...)
			c.free = true
			continue
		}
		if slots := w.tokenSlots(t, key); key != "" && len(slots) > 0 {
			values[key] = slots
			order = append(order, t)
		}
	}
	for _, t := range order {
		w.defaultOf(&c, t, values[t.key()])
	}
	for _, s := range w.tokenSums(tokens, nil) {
		c.written = s.own
		c.fill(w, strings.TrimSuffix(s.names[0], "_SUM"), s)
		c.findings = append(c.findings, s.findings...)
	}
	return c
}

// defaultOf ports the default of one ARG.
func (w *work) defaultOf(c *change, t token, slots []slot) {
	c.written = slots[0].own
	value := t.raw[len(t.key())+1:]
	inner := strings.Trim(value, `"'`)
	isArch := !slices.ContainsFunc(slots, func(s slot) bool { return !s.values.isArch(w.Platforms) })
	switch {
	case isArch:
		for _, s := range slots {
			c.edits = append(c.edits, w.inQuotes(edit{s.span, variable("TARGETARCH", s.quote, len(inner) == s.span.End-s.span.Start)}, s.quote))
			c.was["TARGETARCH"] = s.values[s.own].text
		}
		if c.stage >= 0 {
			c.declares = append(c.declares, "TARGETARCH")
		}
	case strings.Contains(inner, "$"):
		if c.stage < 0 {
			return
		}
		for _, s := range slots {
			name := w.names.take(s.values.key(), s.names...)
			c.declares = append(c.declares, name+"="+s.values[s.own].text)
			c.was[name] = s.values[s.own].text
			c.edits = append(c.edits, w.inQuotes(edit{s.span, variable(name, s.quote, false)}, s.quote))
			c.fill(w, name, s)
		}
	default:
		for i, p := range w.Platforms {
			if text := w.on(t, slots, i); i != slots[0].own && text != "" {
				c.args = append(c.args, Arg{Name: t.key(), Value: strings.Trim(text[len(t.key())+1:], `"'`), Platform: p})
			}
		}
	}
	for _, s := range slots {
		c.findings = append(c.findings, s.findings...)
	}
}

// on is a token as it is for a platform; empty where that has no name.
func (w *work) on(t token, slots []slot, i int) string {
	text := t.raw
	for _, s := range slices.Backward(slots) {
		if s.values[i].none {
			return ""
		}
		text = text[:s.span.Start-t.span.Start] + s.values[i].text + text[s.span.End-t.span.Start:]
	}
	return text
}

// globals ports the ARGs before the first FROM.
func (w *work) globals() {
	for number := 1; number < w.t.Stages[0].Line; number++ {
		span := w.line(number)
		name, _, _ := strings.Cut(strings.TrimSpace(w.text(span))+" ", " ")
		if strings.EqualFold(name, "arg") && len(w.flagged(span.Start, span.End, "arch-literal", "checksum-one-arch", pinned)) > 0 {
			c := w.argument(-1, -1, span)
			c.free = true
			w.add(c)
		}
	}
}

// setsEnv says whether an ENV of a stage sets a variable.
func (w *work) setsEnv(stage int, name string) bool {
	for _, s := range w.steps[stage] {
		if env, ok := s.Command.(*instructions.EnvCommand); ok {
			if slices.ContainsFunc(env.Env, func(p instructions.KeyValuePair) bool { return p.Key == name }) {
				return true
			}
		}
	}
	return false
}

// declared says whether a stage has an ARG before a step.
func (w *work) declared(stage, step int, arg string) bool {
	for _, s := range w.steps[stage][:max(step, 0)] {
		if c, ok := s.Command.(*instructions.ArgCommand); ok {
			for _, a := range c.Args {
				if a.Value == nil && a.Key == arg || a.Value != nil && a.Key+"="+*a.Value == arg {
					return true
				}
			}
		}
	}
	return false
}

func notLinux(p platform.Platform) bool { return p.OS != "linux" }
