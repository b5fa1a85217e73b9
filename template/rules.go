package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/archbuild/archbuild/platform"
)

// InFileRule is a comment that says which image a FROM stands for on one platform:
//
//	# archbuild: linux/arm64=REF linux/s390x=skip    (above the FROM)
//	# FROM arm64=REF arm=skip                        (below it; rancher/dapper's form, keyed by GOARCH)
type InFileRule struct {
	// Reference of the FROM, an index in Template.References.
	Reference int
	// Platform it holds for. Without a variant it holds for all variants that
	// have no rule of their own.
	Platform platform.Platform
	// New is the image; empty when Skip leaves the platform out.
	New  string
	Skip bool
	// Line of the comment.
	Line int
	// Source is whose form it is: "archbuild" or "dapper".
	Source string
	// Problem says why the rule has no effect, or is nil.
	Problem *Problem
}

// The forms of in-file rules, as InFileRule.Source says them.
const (
	FromArchbuild = "archbuild"
	FromDapper    = "dapper"
)

const (
	dapperPrefix    = "# FROM "
	archbuildPrefix = "archbuild:"
	skipWord        = "skip"
)

// goArchitectures are the keys that dapper's comments can have.
var goArchitectures = []string{
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",
}

// RuleFor finds the in-file rule of a reference for a platform: the one for
// exactly this platform, else the one for its architecture. Of several the
// first counts, as in dapper.
func (t *Template) RuleFor(ref int, p platform.Platform) (InFileRule, bool) {
	var general *InFileRule
	for _, i := range t.rulesOf[ref] {
		r := &t.Rules[i]
		if r.Platform.OS != p.OS || r.Platform.Arch != p.Arch {
			continue
		}
		if r.Platform.Variant == p.Variant {
			return *r, true
		}
		if r.Platform.Variant == "" && general == nil {
			general = r
		}
	}
	if general == nil {
		return InFileRule{}, false
	}
	return *general, true
}

// Chosen tells that an in-file rule names the image for the platform.
func (u Use) Chosen() bool { return u.Rule != "" && u.Rule != byPlaceholder && !u.Skip }

// ruled applies the in-file rule for a use, if there is one.
func (v *view) ruled(use *Use) bool {
	if len(v.Rules) == 0 {
		return false
	}
	rule, ok := v.RuleFor(use.Reference, use.Platform)
	if !ok || v.env.Overruled != nil && v.env.Overruled(use.Image, use.Platform, rule.Skip) {
		return false
	}
	use.Rule = fmt.Sprintf("%s:%d comment", v.Name, rule.Line)
	switch {
	case rule.Skip:
		use.Skip = true
	case use.Kind == StageKind || use.Kind != Variable && use.Problem != nil:
		use.Rule = ""
		return false
	default:
		written := use.Image
		if use.Problem != nil {
			written = v.References[use.Reference].Text
		}
		if written != rule.New {
			use.Written = written
		}
		use.Image, use.Kind, use.Target = rule.New, External, -1
		use.Problem, use.Missing = nil, nil
	}
	return true
}

// remark is a comment between instructions that may be a rule.
type remark struct {
	text string
	line int
	// before is how many instructions come before it.
	before int
}

// mayBeRule keeps the comments worth a second look. Dapper wants its own at the
// very beginning of the line.
func mayBeRule(line string, indented bool) bool {
	if strings.HasPrefix(line, dapperPrefix) {
		return !indented && strings.Contains(line, "=")
	}
	return strings.HasPrefix(strings.TrimLeft(line[1:], " \t"), archbuildPrefix)
}

// readRules makes rules of the remarks. from lists the instructions that are a FROM.
func (t *Template) readRules(remarks []remark, from []int) {
	for _, r := range remarks {
		t.remark = r.text
		below, exact := slices.BinarySearch(from, r.before)
		if strings.HasPrefix(r.text, dapperPrefix) {
			if below > 0 {
				t.dapperRules(r, t.Stages[below-1].Base)
			}
			continue
		}
		if !exact {
			t.addRule(InFileRule{Reference: -1, Line: r.line, Source: FromArchbuild}, "no FROM follows this comment", "move it to the line above its FROM")
			continue
		}
		if ref := t.Stages[below].Base; t.References[ref].Kind != StageKind {
			t.archbuildRules(r, ref)
			continue
		}
		t.addRule(InFileRule{Reference: -1, Line: r.line, Source: FromArchbuild}, "the FROM below this comment names a stage", "move it above the FROM of that stage")
	}
}

func (t *Template) dapperRules(r remark, ref int) {
	for _, field := range strings.Fields(r.text[len(dapperPrefix):]) {
		arch, image, ok := strings.Cut(field, "=")
		if !ok || !slices.Contains(goArchitectures, arch) {
			continue
		}
		rule := InFileRule{Reference: ref, Platform: platform.Platform{OS: "linux", Arch: arch}, Line: r.line, Source: FromDapper}
		t.valueRule(rule, image)
	}
}

func (t *Template) archbuildRules(r remark, ref int) {
	const form = "write # archbuild: linux/arm64=IMAGE, or linux/arm64=skip"
	_, text, _ := strings.Cut(r.text, archbuildPrefix)
	rule := InFileRule{Reference: ref, Line: r.line, Source: FromArchbuild}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		t.addRule(rule, "this comment has no rule", form)
	}
	for _, field := range fields {
		name, image, ok := strings.Cut(field, "=")
		if !ok {
			t.addRule(rule, fmt.Sprintf("%q is no rule", field), form)
			continue
		}
		p, err := platform.Parse(name)
		if err != nil {
			advice := form
			if hint, ok := err.(interface{ Hint() string }); ok {
				advice = hint.Hint()
			}
			t.addRule(rule, err.Error(), advice)
			continue
		}
		rule.Platform = p
		t.valueRule(rule, image)
	}
}

// valueRule adds a rule whose right side is a text.
func (t *Template) valueRule(rule InFileRule, image string) {
	if rule.Skip = image == skipWord; !rule.Skip {
		rule.New = image
		if _, err := reference.ParseNormalizedNamed(image); err != nil || image == "scratch" {
			t.addRule(rule, fmt.Sprintf("%q names no image", image), "write an image as name:tag, or skip")
			return
		}
	}
	same := func(i int) bool { return t.Rules[i].Platform == rule.Platform && t.Rules[i].Source == rule.Source }
	list := t.rulesOf[rule.Reference]
	if i := slices.IndexFunc(list, same); i >= 0 {
		if o := t.Rules[list[i]]; rule.Source == FromArchbuild && (o.New != rule.New || o.Skip != rule.Skip) {
			t.addRule(rule, fmt.Sprintf("line %d has another rule for %s", o.Line, rule.Platform), "keep one of the two")
		}
		return
	}
	if t.rulesOf == nil {
		t.rulesOf = map[int][]int{}
	}
	t.rulesOf[rule.Reference] = append(list, len(t.Rules))
	t.Rules = append(t.Rules, rule)
}

// addRule adds one that has no effect.
func (t *Template) addRule(rule InFileRule, message, advice string) {
	rule.Problem = &Problem{File: t.File, Line: rule.Line, Message: message, Advice: advice, Text: t.remark}
	t.Rules = append(t.Rules, rule)
}
