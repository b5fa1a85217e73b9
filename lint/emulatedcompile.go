package lint

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// emulatedCompile tells of stages that compile on the wanted platform, under an emulator,
// because archbuild does not move them to the build platform.
//
// A stage that starts from one it tells of is not told of again: it goes where that one goes.
func emulatedCompile(s *subject) {
	told := make([]bool, len(s.Template.Stages))
	for stage := range s.Template.Stages {
		var on []platform.Platform
		var why cross.Decision
		for _, v := range s.views() {
			known := v.base(s.Template, stage).Problem == nil
			if !known || !v.onTarget(s.Template, stage) || s.native(v.Platform) || v.Platform.OS != "linux" || s.walked().Stages[stage].Windows {
				continue
			}
			chain := v.chainOf(s.Template, stage)
			if s.ofAnother(v, chain[len(chain)-1]) || slices.ContainsFunc(chain, func(i int) bool { return told[i] }) {
				continue
			}
			if d, moves := s.decision(v.Target, stage); !moves {
				on, why = append(on, v.Platform), d
			}
		}
		if len(on) == 0 {
			continue
		}
		told[stage] = s.compiles(stage, on, why)
	}
}

// ofAnother tells whether the image that a stage starts from is by its name for another
// platform than the wanted one, and nothing is known to be taken for it: then baseOneArch tells.
func (s *subject) ofAnother(v view, stage int) bool {
	ref := &s.Template.References[s.Template.Stages[stage].Base]
	use := v.base(s.Template, stage)
	if use.Kind != template.External || use.Problem != nil || use.Rule != "" {
		return false
	}
	word, ok := oneArchitecture(use.Image)
	if !ok || platformOf(word).Serves(v.Platform) {
		return false
	}
	base, known := s.answer(ref, use, v.Platform)
	return !known || base.Use == ""
}

// decision is archbuild's own about a stage. One that moves because the stage that it
// starts from does has the platform of that.
func (s *subject) decision(target plan.Target, stage int) (d cross.Decision, moves bool) {
	list, known := s.decided[target.Platform]
	if !known {
		if s.Crossed != nil {
			list = s.Crossed(target)
		} else {
			list = cross.Decide(cross.Request{Template: s.Template, Target: target.Platform, Build: s.Build, Stage: target.Stage, Args: target.Args})
		}
		if s.decided == nil {
			s.decided = map[platform.Platform][]cross.Decision{}
		}
		s.decided[target.Platform] = list
	}
	for _, one := range list {
		if one.Stage == stage {
			return one, one.Move
		}
	}
	return d, false
}

// compiles adds the finding of a stage's first command that compiles, if there is one.
func (s *subject) compiles(stage int, on []platform.Platform, why cross.Decision) bool {
	for _, in := range s.walked().Stages[stage].Instructions {
		if in.Name != "RUN" || in.Trigger {
			continue
		}
		for _, c := range in.Script.Commands {
			what, l, ok := compile(c)
			if !ok || c.Condition {
				continue
			}
			what = strings.TrimSpace(what)
			line := c.Line
			if c.First.At > c.At { // variables stand before it
				line = s.lineOf(c.First.At)
			}
			s.add(Finding{
				ID: "emulated-compile", Severity: Warning, Line: line, Platforms: on, Spans: []template.Span{{Start: c.At, End: c.End}},
				Message: fmt.Sprintf("%s is emulated for %s, which takes %s: %s", what, join(on), s.factor(on), s.reason(stage, why)),
				Fix:     s.compileFix(stage, l, why),
			})
			return true
		}
	}
	return false
}

// factor is how much longer it takes, as it was measured or as one has to expect.
func (s *subject) factor(on []platform.Platform) string {
	slowest := 0.0
	for _, p := range on {
		slowest = max(slowest, s.Slower[p])
	}
	if slowest >= 1.5 {
		return fmt.Sprintf("%.0f times as long (measured: the whole build, last time)", math.Round(slowest))
	}
	return "5 to 10 times as long"
}

// reason is why archbuild leaves the stage where it is.
func (s *subject) reason(stage int, d cross.Decision) string {
	switch {
	case d.Kind == "":
		return "archbuild does not know how to compile it elsewhere"
	case d.Kind == cross.TargetStage:
		return s.stageName(stage) + " is the image itself"
	case d.Line > 0 && d.Line != s.Template.Stages[stage].Line:
		return fmt.Sprintf("archbuild leaves %s on the target, since line %d: %s", s.stageName(stage), d.Line, d.Why)
	}
	return fmt.Sprintf("archbuild leaves %s on the target, since %s", s.stageName(stage), d.Why)
}

// compileFix is the first step away from emulation.
func (s *subject) compileFix(stage int, l language, d cross.Decision) string {
	image := s.Template.References[s.Template.Stages[stage].Base].Text
	from := "FROM --platform=$BUILDPLATFORM " + image + " AS " + s.labelOf(stage)
	if d.Kind == cross.TargetStage || d.Kind == cross.BaseOfStayingStage {
		return "compile in a stage of its own, " + from + ", and take what it makes by COPY --from=" + s.labelOf(stage) + " into a base without the compiler"
	}
	switch {
	case l == golang && slices.Contains([]cross.Kind{cross.CgoUndecided}, d.Kind):
		return "if it needs no C, write CGO_ENABLED=0 before go build: archbuild then compiles it on the build platform"
	case l == golang && (d.Kind == cross.CgoOn || d.Kind == cross.RaceOrBuildmode):
		return "write " + from + " and compile with a C compiler for $TARGETPLATFORM, as xx-go takes one; or give --node a machine of that platform"
	case l == golang:
		return "write " + from + ", ARG TARGETOS TARGETARCH, and GOOS=$TARGETOS GOARCH=$TARGETARCH before go build"
	case l == rust:
		return "write " + from + ", and cargo build --target with the triple and the linker for $TARGETARCH; or give --node a machine of that platform"
	case l == native:
		return "write " + from + ", and take a cross compiler for $TARGETPLATFORM (xx-clang, or gcc-aarch64-linux-gnu and its like); or give --node a machine of that platform"
	case l == dotnet:
		return "write " + from + ", ARG TARGETARCH, and dotnet publish -a $TARGETARCH"
	case l == java:
		return "write " + from + ": jars are for every machine; what is for one (a runtime, natives) belongs into a stage of the target"
	case l == web:
		return "write " + from + ": a bundle is for every machine; install node_modules that the image needs in a stage of the target"
	}
	return "write " + from + " if what it makes can be made there for $TARGETPLATFORM; or give --node a machine of that platform"
}

// labelOf is a stage's name, or one for it.
func (s *subject) labelOf(stage int) string {
	if name := s.Template.Stages[stage].Name; name != "" {
		return name
	}
	return "build"
}
