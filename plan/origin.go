package plan

import (
	"fmt"

	"github.com/archbuild/archbuild/resolve"
)

// Origin is one place that asks a question: a reference of the file, an ONBUILD
// instruction of a base image, or a stage that a named context stands for.
type Origin struct {
	resolve.Question
	// File and Line of the reference; of what a base image brings along, that base's.
	File string
	Line int
	// Where is "FROM", "COPY --from", "ONBUILD COPY --from" …
	Where string
	// Written is what stands there, its ARGs evaluated. Text is what stands there
	// before, if that is something else: debian:$TAG.
	Written, Text string
	// Rule says what put the question's image in its place, "Dockerfile:3 comment";
	// empty when nothing did.
	Rule string
	// Overruled is a comment that has no say because the command line names the image.
	Overruled string
	// Base is the image that brings the ONBUILD instruction along, or empty.
	Base string
	// Waits tells of an ONBUILD that fires in other builds only, see template.Use.
	Waits bool
}

// String is the place as an error begins with it.
func (o Origin) String() string {
	if o.Base != "" {
		return fmt.Sprintf("%s:%d: the base %s brings %s=%s", o.File, o.Line, o.Base, o.Where, o.Written)
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Origins lists every place that asks a question, as far as the answers tell
// what base images bring along.
func Origins(req Request, answers Answers) ([]Origin, error) {
	var list []Origin
	for _, target := range req.Targets {
		seen, err := req.look(target, answers, nil)
		if err != nil {
			return nil, err
		}
		if seen.skipped() != nil {
			continue
		}
		for i := range seen.uses {
			use := &seen.uses[i]
			if !use.Needed || !req.asks(use) {
				continue
			}
			ref := req.Template.References[use.Reference]
			o := Origin{
				Question: question(use), File: req.Template.File, Line: ref.Line, Where: ref.Where,
				Written: use.Image, Rule: use.Rule, Waits: use.Waits,
			}
			if use.Written != "" {
				o.Written = use.Written
			}
			if ref.Text != o.Written {
				o.Text = ref.Text
			}
			if rule, ok := req.Template.RuleFor(use.Reference, use.Platform); ok && use.Rule == "" && (rule.Skip || rule.New != use.Image) {
				o.Overruled = fmt.Sprintf("%s:%d comment", req.Template.Name, rule.Line)
			}
			list = append(list, o)
		}
		for _, o := range seen.others {
			list = append(list, o.Origin)
		}
	}
	return list, nil
}
