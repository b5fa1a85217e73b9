package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// baseOneArch finds references that name one architecture: in the image's name, in a
// --platform written out, or by the digest of a single image.
func baseOneArch(s *subject) {
	for i := range s.Template.References {
		s.pinnedFlag(i)
		s.pinnedName(i)
		s.pinnedDigest(i)
	}
}

// pin is what is found of a reference, for the platforms that it harms.
type pin struct {
	harmed []platform.Platform
	// image and word are what it says for the first of them, fixed the platform it is for.
	image string
	word  arch.Word
	fixed platform.Platform
	// based tells that the image stands on it.
	based bool
	// served are the images that serve those that are harmed, by archbuild's own rules.
	served []string
	open   bool
	// ofBuild tells that it runs on the build platform.
	ofBuild bool
}

// pinnedName looks for the name of an architecture in an image's name.
func (s *subject) pinnedName(reference int) {
	ref := &s.Template.References[reference]
	var p pin
	for _, v := range s.views() {
		use := &v.uses[reference]
		if use.Kind != template.External || use.Problem != nil || !use.Needed || use.Rule != "" || s.stays(v, ref.Stage) {
			continue
		}
		word, ok := oneArchitecture(use.Image)
		here := v.ofBuild[ref.Stage] && ref.Where == "FROM"
		if !ok || platformOf(word).Serves(v.Platform) || !here && platformOf(word).Serves(use.Platform) {
			continue
		}
		base, known := s.answer(ref, use, v.Platform)
		if known && base.Ruled || s.hasSisters(v, use.Image) {
			continue
		}
		if len(p.harmed) == 0 {
			p.image, p.word = use.Image, word
		}
		p.harmed, p.ofBuild = append(p.harmed, v.Platform), here
		p.based = p.based || slices.Contains(v.chain, ref.Stage)
		if known && base.Use != "" {
			p.served = append(p.served, base.Use)
		} else {
			p.open = true
		}
	}
	if len(p.harmed) > 0 {
		s.addPinned(ref, p)
	}
}

// addPinned tells of a reference that names one architecture.
func (s *subject) addPinned(ref *template.Reference, p pin) {
	f := Finding{ID: "base-one-arch", Severity: Warning, Line: ref.Line, Platforms: p.harmed, Spans: []template.Span{ref.Span}}
	if p.based && p.open && !p.ofBuild {
		f.Severity = Error
	}
	if d, ok := s.declared(ref.Text, p.word.Text); ok {
		f.Line, f.Spans = d.Line, spansOf(d.Span)
	}
	f.Message = fmt.Sprintf("%s is for %s alone, and %s %s wanted too", p.image, p.word.Arch, join(p.harmed), is(p.harmed))
	switch {
	case p.ofBuild:
		f.Message = fmt.Sprintf("%s is for %s alone, so a machine of %s cannot build it", p.image, p.word.Arch, join(p.harmed))
	case !p.open:
		f.Message = fmt.Sprintf("%s names %s; for %s archbuild takes %s, other builders do not", p.image, p.word.Arch, join(p.harmed), strings.Join(slices.Compact(p.served), ", "))
	}
	f.Fix = s.nameFix(ref, p)
	if d, ok := s.declared(ref.Text, p.word.Text); ok && d.Default != p.image {
		f.Fix = argFix(d, p)
	}
	s.add(f)
}

// stays tells whether a stage has another platform than the wanted one by a --platform
// that is written out.
func (s *subject) stays(v view, stage int) bool {
	st := &s.Template.Stages[stage]
	use := v.base(s.Template, stage)
	return st.PlatformFlag != "" && use.Kind == template.External && !v.ofBuild[stage] && !use.Platform.Serves(v.Platform)
}

// pinnedFlag looks at a --platform that is written out.
func (s *subject) pinnedFlag(reference int) {
	ref := &s.Template.References[reference]
	stage := &s.Template.Stages[ref.Stage]
	if stage.Base != reference || stage.PlatformFlag == "" {
		return
	}
	var p pin
	for _, v := range s.views() {
		use := &v.uses[reference]
		if !v.needed[ref.Stage] || use.Problem != nil || !s.stays(v, ref.Stage) || s.hasTwins(v, use.Image) {
			continue
		}
		p.harmed, p.fixed, p.image = append(p.harmed, v.Platform), use.Platform, use.Image
		p.based = p.based || slices.Contains(v.chain, ref.Stage)
	}
	if len(p.harmed) == 0 {
		return
	}
	f := Finding{ID: "base-one-arch", Severity: Warning, Line: stage.Line, Platforms: p.harmed, Spans: s.flagSpan(ref, stage)}
	if len(f.Spans) > 0 {
		f.Line = s.lineOf(f.Spans[0].Start)
	}
	flag := "--platform=" + stage.PlatformFlag
	from := s.fromLine(ref)
	f.Message = fmt.Sprintf("%s stays on %s when %s %s built, and so does what it makes", s.stageName(ref.Stage), p.fixed, join(p.harmed), is(p.harmed))
	f.Fix = "write " + strings.Replace(from, flag, "--platform=$BUILDPLATFORM", 1) + " if what it makes is for every machine, or is compiled for $TARGETARCH; else leave --platform out"
	if p.based {
		f.Severity = Error
		f.Message = fmt.Sprintf("the image for %s would hold programs for %s, by %s", join(p.harmed), p.fixed, flag)
		f.Fix = "take it out: " + strings.Join(strings.Fields(strings.Replace(from, flag, "", 1)), " ")
	}
	if strings.Contains(stage.PlatformFlag, "$") {
		if d, ok := s.declared(stage.PlatformFlag, p.fixed.Arch); ok {
			f.Line, f.Spans = d.Line, spansOf(d.Span)
			f.Fix = "leave " + flag + " out: " + strings.Join(strings.Fields(strings.Replace(from, flag, "", 1)), " ")
		}
	}
	s.add(f)
}

// hasSisters tells whether the same build takes the image of each wanted platform, by
// names that differ in the word alone: its author has thought of all of them.
func (s *subject) hasSisters(v view, image string) bool {
	word, _ := oneArchitecture(image)
	plain := strings.ReplaceAll(image, word.Text, "")
	return s.all(func(p platform.Platform) bool {
		return slices.ContainsFunc(v.uses, func(u template.Use) bool {
			other, ok := oneArchitecture(u.Image)
			return ok && u.Kind == template.External && u.Needed && platformOf(other).Serves(p) && strings.ReplaceAll(u.Image, other.Text, "") == plain
		})
	})
}

// hasTwins tells whether the same build takes an image for each wanted platform, by a
// --platform that is written out.
func (s *subject) hasTwins(v view, image string) bool {
	return s.all(func(p platform.Platform) bool {
		return slices.ContainsFunc(v.uses, func(u template.Use) bool {
			flag := s.Template.Stages[s.Template.References[u.Reference].Stage].PlatformFlag
			fixed := flag != "" && !strings.Contains(flag, "TARGET") && !strings.Contains(flag, "BUILD")
			return fixed && u.Needed && u.Kind == template.External && u.Image == image && u.Platform.Serves(p)
		})
	})
}

// all tells whether something holds for each of several wanted platforms.
func (s *subject) all(holds func(platform.Platform) bool) bool {
	const most = 500 // references
	wanted := s.platforms()
	return len(wanted) > 1 && len(s.Template.References) < most && !slices.ContainsFunc(wanted, func(p platform.Platform) bool { return !holds(p) })
}

// flagSpan are the bytes of a FROM's --platform.
func (s *subject) flagSpan(ref *template.Reference, stage *template.Stage) []template.Span {
	flag := "--platform=" + stage.PlatformFlag
	line := s.lineStart(stage.Line)
	if line > ref.Span.Start {
		return nil
	}
	at := strings.Index(string(s.Template.Source[line:ref.Span.Start]), flag)
	if at < 0 {
		return nil
	}
	return []template.Span{{Start: line + at, End: line + at + len(flag)}}
}

// lineStart is the offset of a line.
func (s *subject) lineStart(line int) int {
	at := 0
	for n := 1; n < line; n++ {
		next := bytes.IndexByte(s.Template.Source[at:], '\n')
		if next < 0 {
			return len(s.Template.Source)
		}
		at += next + 1
	}
	return at
}

// pinnedDigest tells of the digest of a single image, which only a registry knows.
func (s *subject) pinnedDigest(reference int) {
	ref := &s.Template.References[reference]
	var harmed []platform.Platform
	var first *Base
	for _, v := range s.views() {
		use := &v.uses[reference]
		if !use.Needed || use.Kind != template.External || use.Problem != nil {
			continue
		}
		if b, ok := s.answer(ref, use, v.Platform); ok && b.Single {
			harmed = append(harmed, v.Platform)
			if first == nil {
				first = b
			}
		}
	}
	if first == nil {
		return
	}
	f := Finding{ID: "base-one-arch", Severity: Warning, Line: ref.Line, Spans: []template.Span{ref.Span}, Platforms: harmed}
	for _, v := range s.views() {
		if slices.Contains(v.chain, ref.Stage) && ref.Where == "FROM" {
			f.Severity = Error
		}
	}
	if d, ok := s.declared(ref.Text, "sha256:"); ok {
		f.Line, f.Spans = d.Line, spansOf(d.Span)
	}
	tag, _, _ := strings.Cut(first.Image, "@")
	f.Message = fmt.Sprintf("%s is the digest of one image, for %s, and %s %s wanted too", first.Image, join(first.Offers), join(harmed), is(harmed))
	f.Fix = fmt.Sprintf("pin the digest of the index instead, which `archbuild manifest inspect %s` shows", tag)
	s.add(f)
}

// answer is what is known of a use.
func (s *subject) answer(ref *template.Reference, use *template.Use, target platform.Platform) (*Base, bool) {
	for i := range s.Bases {
		b := &s.Bases[i]
		if b.Line == ref.Line && b.Where == ref.Where && b.Image == use.Image && b.BroughtBy == "" && slices.Contains(b.Targets, target) {
			return b, true
		}
	}
	return nil, false
}
