package port

import (
	"strings"

	"github.com/archbuild/archbuild/template"
)

// caches gives cache mounts an id for each architecture.
func (w *work) caches(stage, step int) {
	at := w.steps[stage][step]
	c := change{stage: stage, step: step, was: map[string]string{}, written: -1, declares: []string{"TARGETARCH"}}
	suffix := "-$TARGETARCH"
	if variants(w.Platforms) {
		suffix += "$TARGETVARIANT"
		c.declares = append(c.declares, "TARGETVARIANT")
	}
	for _, m := range w.t.CacheMounts() {
		if m.Stage != stage || m.Line != at.Line || m.Onbuild || m.Span == (template.Span{}) {
			continue
		}
		findings := w.flagged(m.Span.Start, m.Span.End, "cache-shared")
		if len(findings) == 0 && m.ID == "" {
			findings = w.flaggedLine(m.Line, "cache-shared")
		}
		if len(findings) == 0 {
			continue
		}
		if m.ID == "" {
			name := strings.ReplaceAll(strings.Trim(m.Target, "/"), "/", "-")
			if name == "" || strings.ContainsAny(name, "$,\"' ") {
				continue
			}
			c.edits = append(c.edits, edit{template.Span{Start: m.Span.End, End: m.Span.End}, ",id=" + name + suffix})
		} else {
			end, ok := w.idEnd(at.Span, m.ID)
			if !ok {
				continue
			}
			c.edits = append(c.edits, edit{template.Span{Start: end, End: end}, suffix})
		}
		c.findings = append(c.findings, findings...)
	}
	if !w.setsEnv(stage, "TARGETARCH") {
		w.add(c)
	}
}

// idEnd is where the id of a mount ends, if it stands in an instruction just once.
func (w *work) idEnd(span template.Span, id string) (int, bool) {
	text, word := w.text(span), "id="+id
	at := strings.Index(text, word)
	if at < 0 || strings.Contains(text[at+1:], word) || strings.Contains(id, "$") {
		return 0, false
	}
	end := at + len(word)
	return span.Start + end, end < len(text) && strings.IndexByte(", \t\r\n", text[end]) >= 0
}
