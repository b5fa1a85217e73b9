package port

import (
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// pinned is the rule about bases for one architecture.
const pinned = "base-one-arch"

// bases ports the references to images.
func (w *work) bases() {
	for stage, s := range w.t.Stages {
		if findings := w.flaggedLine(s.Line, pinned); len(findings) > 0 && s.PlatformFlag != "" {
			w.add(w.platformFlag(stage, findings))
		}
	}
	for _, ref := range w.t.References {
		findings := w.flagged(ref.Span.Start, ref.Span.End, pinned)
		if ref.Kind == template.External && len(findings) > 0 && !strings.Contains(ref.Text, "$") && w.text(ref.Span) == ref.Text {
			c := w.image(ref.Span, ref.Text, findings, ref.Where == "FROM")
			if ref.Where != "FROM" {
				c.stage, c.step = ref.Stage, w.stepAt(ref.Stage, ref.Span.Start)
			}
			w.add(c)
		}
	}
	for number := 1; number < w.t.Stages[0].Line; number++ {
		span := w.line(number)
		name, _, _ := strings.Cut(strings.TrimSpace(w.text(span))+" ", " ")
		if strings.EqualFold(name, "arg") {
			w.imageArgs(span)
		}
	}
}

// stepAt is the step of a stage that a place stands in.
func (w *work) stepAt(stage, at int) int {
	return slices.IndexFunc(w.steps[stage], func(s template.Step) bool { return at >= s.Span.Start && at < s.Span.End })
}

func (w *work) flaggedLine(number int, ids ...string) []int {
	span := w.line(number)
	return w.flagged(span.Start, span.End, ids...)
}

// imageArgs ports the defaults of ARGs that bases are made of.
func (w *work) imageArgs(span template.Span) {
	for _, t := range w.tokens(span) {
		findings := w.flagged(t.span.Start, t.span.End, pinned)
		key := t.key()
		if len(findings) == 0 || key == "" || strings.Contains(t.raw, "$") || slices.Contains(automatic, key) {
			continue
		}
		inner := strings.Trim(t.raw[len(key)+1:], `"'`)
		at := t.span.Start + strings.LastIndex(t.raw, inner)
		value := template.Span{Start: at, End: at + len(inner)}
		if p, err := platform.Parse(inner); err == nil && strings.Contains(inner, "/") && slices.Contains(w.Platforms, p) && w.isPlatform(key) {
			w.add(change{stage: -1, step: -1, free: true, findings: findings, written: slices.Index(w.Platforms, p), edits: []edit{{value, "$TARGETPLATFORM"}}})
			continue
		}
		if words := arch.Find(inner); len(words) == 1 && words[0].Text == inner {
			w.add(w.architecture(key, inner, value, findings))
		} else {
			w.add(w.image(value, inner, findings, true))
		}
	}
}

// architecture ports an ARG that holds a part of a base's name.
func (w *work) architecture(key, text string, span template.Span, findings []int) change {
	c := change{stage: -1, step: -1, free: true, findings: findings, written: -1}
	var values choice
	for i, p := range w.Platforms {
		name := p.Names().Prefix
		if !w.isPrefix(key) {
			name, _ = arch.Find(text)[0].For(p)
		}
		values = append(values, value{text: name, none: name == ""})
		if name == text {
			c.written = i
		}
	}
	if c.written < 0 || !w.haveImages(key, values) {
		return change{}
	}
	if values.isArch(w.Platforms) {
		c.edits = []edit{{span, variable("TARGETARCH", bare, true)}}
		return c
	}
	for i, p := range w.Platforms {
		if i != c.written && !values[i].none {
			c.args = append(c.args, Arg{Name: key, Value: values[i].text, Platform: p})
		}
	}
	return c
}

// isPlatform says whether FROMs take their --platform from an ARG, and it serves nothing else.
func (w *work) isPlatform(key string) bool {
	return slices.ContainsFunc(w.t.Stages, func(s template.Stage) bool { return strings.Trim(s.PlatformFlag, "${}\"'") == key })
}

// isPrefix says whether FROMs put an ARG where official images have the architecture.
func (w *work) isPrefix(key string) bool {
	return slices.ContainsFunc(w.t.References, func(r template.Reference) bool {
		return prefixed.MatchString(strings.NewReplacer("${"+key+"}", "amd64", "$"+key, "amd64").Replace(r.Text)) && strings.Contains(r.Text, key)
	})
}

// haveImages says whether there is an image for each value of an ARG, as far as anybody knows.
func (w *work) haveImages(key string, values choice) bool {
	for _, ref := range w.t.References {
		if ref.Where != "FROM" || !strings.Contains(ref.Text, "$"+key) && !strings.Contains(ref.Text, "${"+key+"}") {
			continue
		}
		for i, p := range w.Platforms {
			name := strings.NewReplacer("${"+key+"}", values[i].text, "$"+key, values[i].text).Replace(ref.Text)
			if values[i].none || strings.Contains(name, "$") {
				return false
			}
			if has, known := w.has(name, p); known && !has {
				return false
			} else if !known && !prefixed.MatchString(name) {
				return false
			}
		}
	}
	return true
}

// platformFlag drops --platform where it names one of the wanted platforms.
func (w *work) platformFlag(stage int, findings []int) change {
	s := w.t.Stages[stage]
	p, err := platform.Parse(strings.Trim(s.PlatformFlag, `"'`))
	written := slices.Index(w.Platforms, p)
	if err != nil || written < 0 {
		return change{}
	}
	ref := w.t.References[s.Base]
	if ref.Kind == template.External && !strings.Contains(ref.Text, "$") {
		for _, p := range w.Platforms {
			if has, known := w.has(ref.Text, p); known && !has {
				return change{}
			}
		}
	}
	line := w.line(s.Line)
	loc := platformText.FindStringIndex(w.text(line))
	if loc == nil {
		return change{}
	}
	span := template.Span{Start: line.Start + loc[0], End: line.Start + loc[1]}
	return change{stage: stage, step: -1, free: true, written: written, findings: findings, edits: []edit{{span: span}}}
}

var platformText = regexp.MustCompile(`--platform=[^\s]+[ \t]+`)

// prefixed matches the repositories of official images that hold one architecture each.
var prefixed = regexp.MustCompile(`^((?:docker\.io/)?)(amd64|arm64v8|arm32v[567]|i386|ppc64le|s390x|riscv64|mips64le)/([^/]+)$`)

// image ports a reference to an image for one architecture.
func (w *work) image(span template.Span, text string, findings []int, vars bool) change {
	c := change{stage: -1, step: -1, free: true, findings: findings, written: -1}
	if name, digest, found := strings.Cut(text, "@"); found {
		if index, ok := w.index(text); ok {
			c.edits = []edit{{template.Span{Start: span.Start + len(name) + 1, End: span.End}, index}}
		}
		_ = digest
		return c
	}
	if m := prefixed.FindStringSubmatchIndex(text); m != nil {
		if w.own(text[m[4]:m[5]]) < 0 {
			return c
		}
		plain := text[m[6]:m[7]]
		if m[3] > m[2] {
			plain = "docker.io/library/" + plain
		}
		if w.serves(plain) {
			c.written = w.own(text[m[4]:m[5]])
			c.edits = []edit{{span, plain}}
			return c
		}
	}
	return w.sisters(c, span, text, vars)
}

// own is the platform that an architecture's official prefix stands for.
func (w *work) own(prefix string) int {
	return slices.IndexFunc(w.Platforms, func(p platform.Platform) bool { return p.Names().Prefix == prefix })
}

// sisters takes images of the same name but for the architecture, if there are some.
func (w *work) sisters(c change, span template.Span, text string, vars bool) change {
	found := arch.Find(text)
	if len(found) != 1 {
		return change{}
	}
	values, own, ok := w.called(found[0])
	if m := prefixed.FindStringSubmatch(text); m != nil {
		values = nil
		for _, p := range w.Platforms {
			values = append(values, value{text: p.Names().Prefix, none: p.Names().Prefix == ""})
		}
		own = w.own(m[2])
	}
	if !ok || own < 0 {
		return change{}
	}
	name := func(i int) string { return text[:found[0].At] + values[i].text + text[found[0].End:] }
	for i, p := range w.Platforms {
		if has, known := w.has(name(i), p); i != own && (values[i].none || !known || !has) {
			return change{}
		}
	}
	c.written = own
	if values.isArch(w.Platforms) && vars {
		at := template.Span{Start: span.Start + found[0].At, End: span.Start + found[0].End}
		c.edits = []edit{{at, "${TARGETARCH}"}}
		return c
	}
	for i, p := range w.Platforms {
		if i != own {
			c.rules = append(c.rules, Base{Old: text, New: name(i), Platform: p})
		}
	}
	return c
}

// has says whether there is an image for a platform, and whether anybody knows.
func (w *work) has(image string, p platform.Platform) (has, known bool) {
	if w.Images == nil {
		return false, false
	}
	list, known := w.Images(image)
	return slices.ContainsFunc(list, func(have platform.Platform) bool { return have.Serves(p) }), known
}

// serves says that an image serves all platforms, or that nobody knows better.
func (w *work) serves(image string) bool {
	for _, p := range w.Platforms {
		if has, known := w.has(image, p); known && !has {
			return false
		}
	}
	return true
}

func (w *work) index(image string) (string, bool) {
	if w.Index == nil {
		return "", false
	}
	return w.Index(image)
}
