package template

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/platforms"
)

// Uses evaluates every reference for one platform; the result has one element
// for each of References, in their order. What is wrong with a single
// reference is its Problem; the error is about env itself (*TargetError).
func (t *Template) Uses(env Env) ([]Use, error) { return t.UsesInto(nil, env) }

// UsesInto is Uses in the memory of a former result, which is lost.
func (t *Template) UsesInto(memory []Use, env Env) ([]Use, error) {
	target, err := t.target(env.TargetStage)
	if err != nil {
		return nil, err
	}
	v := view{Template: t, env: env, uses: slices.Grow(memory[:0], len(t.References))[:len(t.References)], args: t.arguments(env)}
	for i := range t.Stages {
		v.base(i)
	}
	for i := range t.References {
		if t.References[i].Where != inFrom {
			v.source(i)
		}
	}
	needed, fires := v.reach(target, env.Also)
	for i := range v.uses {
		use := &v.uses[i]
		r := &t.References[i]
		use.Needed = needed[r.Stage]
		if use.Needed && strings.HasPrefix(r.Where, onbuild) {
			// What does not fire here becomes part of the config, right or wrong.
			use.Needed = fires[r.Stage] || r.Stage == target && use.Problem == nil
			use.Waits = use.Needed && !fires[r.Stage]
		}
		v.order(use)
	}
	return v.uses, nil
}

// view is one evaluation of a template.
type view struct {
	*Template
	env  Env
	args *arguments
	uses []Use
	// flag is the --platform that was read last: most files write but one.
	flagText string
	flag     platform.Platform
}

// platform of a stage.
func (v *view) platform(stage int) platform.Platform { return v.uses[v.Stages[stage].Base].Platform }

// problem makes the Problem of a reference.
func (t *Template) problem(reference int, message, advice string) *Problem {
	r := t.References[reference]
	begin := bytes.LastIndexByte(t.Source[:r.Span.Start], '\n') + 1
	text, _, _ := bytes.Cut(t.Source[begin:], []byte("\n"))
	return &Problem{File: t.File, Line: r.Line, Message: message, Advice: advice, Text: strings.TrimSuffix(string(text), "\r")}
}

// base evaluates the FROM of a stage and with it the stage's platform.
func (v *view) base(stage int) {
	s := &v.Stages[stage]
	use := &v.uses[s.Base]
	*use = Use{Reference: s.Base, Kind: External, Target: -1, Platform: v.env.Target}
	name := v.args.expand(v.details[s.Base].word)
	use.Image, use.Unset = name.text, name.unset
	use.Kind, use.Target = v.Template.base(name.text, stage)
	switch {
	case name.broken != "":
		use.Kind, use.Target = Variable, -1
		use.Missing = name.unset
		use.Problem = v.problem(s.Base, "FROM "+v.References[s.Base].Text+": "+name.broken, v.advice(name.unset))
	case use.Kind == External && !strings.Contains(use.Image, "%%"):
		v.external(use, name.unset)
	case use.Kind == StageKind:
		use.Platform = v.platform(use.Target)
		if lower := strings.ToLower(use.Image); lower != use.Image {
			use.Problem = v.problem(s.Base, "FROM "+use.Image+": BuildKit finds a stage here by its lower-case name only", "write FROM "+lower)
		}
	}
	if s.PlatformFlag != "" {
		v.platformFlag(stage, use)
	} else if use.Kind != StageKind && slices.Contains(v.env.Moved, stage) {
		use.Platform = v.env.Build
	}
	if !v.ruled(use) && use.Kind == External && strings.Contains(use.Image, "%%") {
		v.fill(use)
		v.external(use, name.unset)
	}
}

// external checks that a text names an image.
func (v *view) external(use *Use, unset []string) {
	err := CheckName(use.Image)
	if err == nil || use.Problem != nil {
		return
	}
	r := v.References[use.Reference]
	if len(unset) > 0 {
		use.Kind, use.Missing = Variable, unset
		message := fmt.Sprintf("%s %s needs a value for %s", r.Where, r.Text, strings.Join(unset, ", "))
		use.Problem = v.problem(use.Reference, message, v.advice(unset))
		return
	}
	message := fmt.Sprintf("%s %s names no image: %v", r.Where, use.Image, err)
	if use.Image == "" {
		message = fmt.Sprintf("%s %s is empty", r.Where, r.Text)
	}
	advice := "write an image as name:tag, or the name of a stage before this line"
	if isTemplate(use.Image) {
		message = fmt.Sprintf("%s %s is a placeholder for an image, and nothing says which", r.Where, use.Image)
		advice = fmt.Sprintf("fill it in, or make it an argument: ARG %s before the first FROM, and FROM ${%[1]s}", strings.Trim(use.Image, "%@{}<> "))
	}
	use.Kind = Variable
	use.Problem = v.problem(use.Reference, message, advice)
}

// isTemplate tells whether a text looks like a name that a tool puts an image
// in place of: ALPINE_BASEIMAGE, @BASE@, {{base}}.
func isTemplate(text string) bool {
	return templated.MatchString(text)
}

var templated = regexp.MustCompile(`^[%@{<]*[A-Z][A-Z0-9_]*[%@}>]*$|^\{\{.*\}\}$|^@[A-Za-z0-9_]+@$`)

// advice says how to give values to ARGs.
func (v *view) advice(unset []string) string {
	for _, name := range unset {
		if _, declared := v.globals.number[name]; !declared {
			return fmt.Sprintf("a FROM sees only ARGs before the first FROM: add the line ARG %s there, with a default or with --build-arg %s=VALUE", name, name)
		}
	}
	if len(unset) == 0 {
		return "correct the variables in this line"
	}
	return fmt.Sprintf("add --build-arg %s=VALUE", strings.Join(unset, "=VALUE --build-arg "))
}

// platformFlag evaluates --platform of a FROM. It has no say over scratch and stages,
// but BuildKit refuses a bad one there as well.
func (v *view) platformFlag(stage int, use *Use) {
	s := &v.Stages[stage]
	text := v.args.expand(s.PlatformFlag)
	p, err := v.parsePlatform(text.text)
	if text.broken == "" && err == nil {
		if use.Kind == External || use.Kind == Variable {
			use.Platform = p
		}
		return
	}
	if use.Problem != nil {
		return
	}
	message := fmt.Sprintf("--platform=%s names no platform", s.PlatformFlag)
	advice := "write os/arch[/variant], for example linux/arm64"
	if text.broken != "" {
		message = fmt.Sprintf("--platform=%s: %s", s.PlatformFlag, text.broken)
	}
	if len(text.unset) > 0 {
		advice = v.advice(text.unset)
		use.Missing = text.unset
	}
	use.Problem = v.problem(s.Base, message, advice)
}

// parsePlatform reads a platform as BuildKit on the node does: an architecture
// alone means Linux, a system alone the node's architecture.
func (v *view) parsePlatform(text string) (platform.Platform, error) {
	if text != "" && text == v.flagText {
		return v.flag, nil
	}
	if own := v.env.Build; text == own.String() && own == platform.FromOCI(own.OCI()) && own.OSVersion == "" {
		return own, nil // $BUILDPLATFORM, in the form that reading it gives
	}
	switch os := strings.ToLower(text); os {
	case "linux", "windows", "darwin", "freebsd":
		return platform.Platform{OS: os, Arch: v.env.Build.Arch, Variant: v.env.Build.Variant}, nil
	}
	p, err := platforms.Parse(text)
	if err == nil && !strings.Contains(text, "/") {
		// What a bare architecture gives above depends on this machine.
		p, err = platforms.Parse("linux/" + text)
	}
	if err != nil {
		return platform.Platform{}, err
	}
	v.flagText, v.flag = text, platform.FromOCI(p)
	return v.flag, nil
}

// source evaluates COPY --from or a mount.
func (v *view) source(i int) {
	r := &v.References[i]
	use := &v.uses[i]
	*use = Use{Reference: i, Image: r.Text, Kind: r.Kind, Target: r.Target, Platform: v.env.Target}
	switch r.Kind {
	case StageKind:
		use.Platform = v.platform(r.Target)
	case External:
		v.fill(use)
		v.external(use, nil)
	case Variable:
		message := r.Where + "=" + r.Text + ": BuildKit expands no variables here"
		advice := "add a stage, FROM " + r.Text + " AS NAME, and name that stage"
		if _, ok := number(r.Text); ok {
			message = fmt.Sprintf("%s=%s: the file has %d stages, counted from 0", r.Where, r.Text, len(v.Stages))
			advice = "name the stage instead of counting"
		}
		use.Problem = v.problem(i, message, advice)
	}
}

// order adds the Problem of naming a stage before it exists.
func (v *view) order(use *Use) {
	r := &v.References[use.Reference]
	if use.Problem != nil || use.Kind != StageKind || use.Target < r.Stage || strings.HasPrefix(r.Where, onbuild) || !use.Needed {
		return
	}
	message := fmt.Sprintf("%s %s names a stage that comes later", r.Where, r.Text)
	if use.Target == r.Stage {
		message = fmt.Sprintf("%s %s names the stage it is in", r.Where, r.Text)
	}
	use.Problem = v.problem(use.Reference, message, "move that stage up, before this one")
}
