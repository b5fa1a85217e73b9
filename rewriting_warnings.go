package archbuild

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/distribution/reference"
)

// RewriteWarning tells of a reference that was left as it is, and why.
type RewriteWarning struct {
	Line int `json:"line"`
	// Where names the place: "FROM", "COPY --from" …
	Where string `json:"where"`
	// Reference as the file has it.
	Reference string `json:"reference"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
	// Platforms for which it holds.
	Platforms []platform.Platform `json:"-"`
	file      string
	// host is the registry that could not be asked, or empty.
	host string
	// harmless ones are no failure under --strict, fatal ones are one without it.
	harmless, fatal bool
}

// String is the warning as one line.
func (w RewriteWarning) String() string {
	var names []string
	for _, p := range w.Platforms {
		names = append(names, p.String())
	}
	file := w.file
	if fromStdin(file) {
		file = stdinWords
	}
	if w.Line > 0 {
		file = fmt.Sprintf("%s:%d", file, w.Line)
	}
	return ui.Line(fmt.Sprintf("%s: %s (%s)", file, w.Message, strings.Join(names, ", ")))
}

// warning is a doubt about one use. What the stage that was asked for does not
// need is no failure, unless BuildKit refuses it all the same; a lock holds no more
// than what is needed.
func (w rewriter) warning(use template.Use, d doubt) RewriteWarning {
	ref := w.template.References[use.Reference]
	message := d.text
	if !strings.HasPrefix(message, ref.Where) {
		message = fmt.Sprintf("%s %s: %s", ref.Where, ref.Text, message)
	}
	unneeded := !use.Needed && (w.stage != "" || d.missing) && !w.template.Refused(use)
	return RewriteWarning{
		Line: ref.Line, Where: ref.Where, Reference: ref.Text, Message: message, Hint: d.hint,
		file: w.file, host: d.host, harmless: d.harmless || unneeded, fatal: d.missing && !unneeded,
	}
}

// remarks are warnings that are about no single reference: comments that are no
// rules, placeholders that nothing fills in, rules without a use.
func (w rewriter) remarks(p platform.Platform, known knowledge) []RewriteWarning {
	list := []RewriteWarning{}
	add := func(line int, where, text, message, hint string) {
		list = append(list, RewriteWarning{
			Line: line, Where: where, Reference: text, Message: message, Hint: hint,
			Platforms: []platform.Platform{p}, file: w.file, harmless: true,
		})
	}
	if syntax := w.template.Syntax; foreignSyntax(syntax) {
		message, hint := "the file is left as it is", "if it reads Dockerfiles as BuildKit does, give --force-rewrite"
		if w.ForceRewrite {
			message, hint = "it may read the file in another way", "compare the result: --diff"
		}
		add(0, "syntax", syntax, "# syntax="+syntax+" is another frontend: "+message, hint)
		list[0].harmless = w.ForceRewrite
	}
	for _, rule := range w.template.Rules {
		if rule.Problem != nil {
			add(rule.Line, "comment", rule.New, rule.Problem.Message, rule.Problem.Advice)
			list[len(list)-1].harmless = rule.Source == template.FromDapper // a build passes over those, too
		}
	}
	if foreign := w.foreign(p); foreign != nil {
		stage := slices.IndexFunc(w.template.Stages, func(s template.Stage) bool { return s.Line == foreign.Line })
		add(foreign.Line, "FROM", w.template.References[w.template.Stages[stage].Base].Text, foreign.Text(), foreign.Hint())
		// Only of a final stage whose platform is written out is it sure.
		list[len(list)-1].harmless = len(foreign.Path) > 1 || strings.Contains(w.template.Stages[stage].PlatformFlag, "$")
	}
	for _, left := range w.template.Placeholders {
		f, ok := w.template.Filling(left, w.env)
		sign, hint := "%%"+left.Name+"%%", "give the value: --build-arg "+left.Name+"=VALUE"
		switch {
		case w.leftAlone():
		case ok && f.Guessed:
			add(left.Line, left.Where, left.Name, fmt.Sprintf("%s is taken to be %s: a platform says no machine's name", sign, f.Value), hint)
			list[len(list)-1].harmless = false
		case ok:
		case w.template.Filled():
			add(left.Line, left.Where, left.Name, sign+" stays: nothing says what it is", hint)
		default:
			add(left.Line, left.Where, left.Name, sign+" stays: placeholders are filled in in a Dockerfile.template, or where a FROM has one", "")
		}
	}
	for _, note := range known.notes[resolve.Question{}] {
		if note.Kind == resolve.UnusedRule {
			add(0, "rule", note.Rule.String(), note.Text, "")
		}
	}
	return list
}

// foreign is what a build would refuse: an image that holds programs of another platform.
func (w rewriter) foreign(p platform.Platform) *plan.ForeignStageError {
	request := plan.Request{
		Template: w.template, Build: w.build, Contexts: w.contextKeys(), ContextImages: w.contextImages(),
		Overruled: w.env.Overruled, AllowForeign: w.AllowForeign,
	}
	var foreign *plan.ForeignStageError
	if !w.leftAlone() && errors.As(plan.Foreign(request, plan.Target{Platform: p, Stage: w.stage, Args: w.env.Args}), &foreign) {
		return foreign
	}
	return nil
}

// foreignSyntax says whether a frontend is none of docker/dockerfile's, in
// whatever registry, channel or version.
func foreignSyntax(syntax string) bool {
	named, err := reference.ParseNormalizedNamed(syntax)
	if syntax == "" || err != nil {
		return syntax != ""
	}
	path := reference.Path(named)
	return !strings.HasSuffix(path, "docker/dockerfile") && !strings.HasSuffix(path, "docker/dockerfile-upstream")
}

// warn adds a warning, in the order of the file.
func (r *Rewritten) warn(w RewriteWarning) {
	w.Platforms = []platform.Platform{r.Platform}
	r.Warnings = append(r.Warnings, w)
}

// mergeWarnings says once what holds for several platforms.
func mergeWarnings(done []Rewritten) []RewriteWarning {
	type key struct {
		line                      int
		where, reference, message string
		harmless                  bool
	}
	var merged []RewriteWarning
	seen := map[key]int{}
	for _, one := range done {
		for _, w := range one.Warnings {
			k := key{w.Line, w.Where, w.Reference, w.Message, w.harmless}
			at, known := seen[k]
			switch {
			case !known:
				seen[k] = len(merged)
				w.Platforms = slices.Clone(w.Platforms)
				merged = append(merged, w)
			case !slices.Contains(merged[at].Platforms, one.Platform):
				merged[at].Platforms = append(merged[at].Platforms, one.Platform)
			}
		}
	}
	slices.SortStableFunc(merged, func(a, b RewriteWarning) int { return cmp.Compare(a.Line, b.Line) })
	said := map[string]bool{}
	for i, w := range merged {
		if said[w.host] {
			merged[i].Message, merged[i].Hint = fmt.Sprintf("%s %s: nor can %s be reached for it", w.Where, w.Reference, w.host), ""
		}
		said[w.host] = w.host != ""
	}
	return merged
}

// unreached is a registry that could not be asked about some reference, or empty.
func (r Rewritten) unreached() string {
	for _, w := range r.Warnings {
		if w.host != "" {
			return w.host
		}
	}
	return ""
}

// refused are the warnings that do not pass, or not with --strict.
func refused(warnings []RewriteWarning, strict bool) error {
	var failed []error
	for _, w := range warnings {
		if w.fatal || strict && !w.harmless {
			failed = append(failed, &UndecidedError{w})
		}
	}
	return errors.Join(failed...)
}

// UndecidedError is a reference that could not be decided, under --strict or --locked.
type UndecidedError struct{ RewriteWarning }

func (e *UndecidedError) Error() string { return e.String() }

// At is the place, for those who show errors beside the code.
func (e *UndecidedError) At() (file string, line int) { return e.file, e.Line }

// Hint is the one thing to do.
func (e *UndecidedError) Hint() string { return e.RewriteWarning.Hint }

// WriteWarnings prints what was left out or left as it is, each as one line.
func (r Rewriting) WriteWarnings(w io.Writer) error {
	for _, skipped := range r.Skipped {
		if _, err := fmt.Fprintf(w, "archbuild: note: %s leaves out %s\n", ui.Line(skipped.Rule), skipped.Platform); err != nil {
			return err
		}
	}
	for _, warning := range r.Warnings {
		hint := ""
		if warning.Hint != "" {
			hint = "; " + ui.Line(warning.Hint)
		}
		if _, err := fmt.Fprintf(w, "archbuild: warning: %s%s\n", warning, hint); err != nil {
			return err
		}
	}
	return nil
}
