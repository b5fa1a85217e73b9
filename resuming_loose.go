package archbuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// looseAdd finds an ADD in a stage that the job needs, or in an ONBUILD of a base, whose
// source is elsewhere and may have changed there.
func looseAdd(t *template.Template, job plan.Job) string {
	for _, stage := range job.Stages {
		values := newStageValues(t, job)
		for _, step := range t.Steps(stage.Index) {
			switch c := step.Command.(type) {
			case *instructions.ArgCommand, *instructions.EnvCommand:
				values.set(c)
			case *instructions.AddCommand:
				if slices.ContainsFunc(c.SourcePaths, mayBeRemote) && values.expand(c.Checksum) == "" {
					return fmt.Sprintf("ADD in line %d has no checksum", step.Line)
				}
			case *instructions.OnbuildCommand:
				if addsRemote(c.Expression) {
					return fmt.Sprintf("ONBUILD ADD in line %d may fetch anything", step.Line)
				}
			}
		}
	}
	if slices.ContainsFunc(job.Triggers, addsRemote) {
		return "an ONBUILD ADD of an image that it stands on may fetch anything"
	}
	for _, base := range job.Bases {
		if slices.ContainsFunc(base.Triggers, addsRemote) {
			return "an ONBUILD ADD of " + base.To + " may fetch anything"
		}
	}
	return ""
}

// stageValues are what variables hold at some place in a stage, as far as the stage itself
// says it. What comes from the stage or the image before it is not known, and empty.
type stageValues struct {
	template *template.Template
	job      plan.Job
	// env counts more than args.
	env, args map[string]string
}

func newStageValues(t *template.Template, job plan.Job) stageValues {
	return stageValues{template: t, job: job, env: map[string]string{}, args: map[string]string{}}
}

// set takes what an ARG or an ENV says; other instructions say nothing.
func (v stageValues) set(command instructions.Command) {
	switch c := command.(type) {
	case *instructions.ArgCommand:
		v.arg(c)
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			v.env[pair.Key] = v.expand(pair.Value)
		}
	}
}

func (v stageValues) arg(c *instructions.ArgCommand) {
	for _, arg := range c.Args {
		given, ok := v.job.Args[arg.Key]
		switch {
		case ok:
		case arg.Value != nil:
			given = v.expand(*arg.Value)
		default:
			given, _ = v.template.Global(template.Env{Target: v.job.Platform, Build: v.job.BuildPlatform, Args: v.job.Args}, arg.Key)
		}
		v.args[arg.Key] = given
	}
}

// expand fills in variables. What cannot be is empty.
func (v stageValues) expand(text string) string {
	filled, ok := v.template.Expand(text, func(name string) (string, bool) {
		if value, ok := v.env[name]; ok {
			return value, true
		}
		return v.args[name], true
	})
	if !ok {
		return ""
	}
	return filled
}

// addsRemote says whether an instruction may add what is on no machine that is known here.
func addsRemote(instruction string) bool {
	words := strings.FieldsFunc(instruction, func(c rune) bool { return strings.ContainsRune(" \t\r\n[],", c) })
	return len(words) > 0 && strings.EqualFold(words[0], "ADD") && slices.ContainsFunc(words[1:], func(word string) bool {
		return strings.Contains(word, `\u`) || mayBeRemote(word) // JSON has names for letters
	})
}

// plainWord takes away what a Dockerfile needs around letters or before them.
var plainWord = strings.NewReplacer(`"`, "", "'", "", `\`, "", "`", "")

// mayBeRemote says whether a source of ADD is an address, or can become one by what a
// variable holds. A commit in full stays what it is.
func mayBeRemote(source string) bool {
	source = plainWord.Replace(source)
	before, _, variable := strings.Cut(source, "$")
	if !variable {
		return builder.IsRemote(source) && !builder.Remote{Address: source}.Pinned()
	}
	return before == "" || strings.ContainsAny(before, "@:") || slices.ContainsFunc([]string{"http://", "https://", "git://", "ssh://", "github.com/"}, func(scheme string) bool {
		return strings.HasPrefix(scheme, strings.ToLower(before)) || strings.HasPrefix(strings.ToLower(before), scheme)
	})
}
