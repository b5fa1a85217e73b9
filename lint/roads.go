package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/template"
)

// roads are the ways by which a file gets from stage to stage, on each platform.
type roads struct {
	*subject
	views     []view
	transfers [][]transfer
}

func (s *subject) roads() roads {
	r := roads{subject: s, views: s.views()}
	for i := range r.views {
		r.transfers = append(r.transfers, s.transfers(&r.views[i]))
	}
	return r
}

// mostHops is more than files go from stage to stage.
const mostHops = 8

// into gives the paths that a program gets in the image, empty where that is not known; none
// if it does not get there, or not plainly so.
func (r roads) into(p contents.Program) []string {
	c := r.Contents.Copies[p.Copy]
	if c.Final {
		return []string{p.Image, path.Join(p.Image, path.Base(p.Path))}
	}
	for i := range r.views {
		if slices.Contains(c.Platforms, r.views[i].Platform) {
			if list := r.along(&r.views[i], r.transfers[i], c.Stage, p.Image, mostHops); len(list) > 0 {
				return list
			}
		}
	}
	return nil
}

// along follows a file of a stage through COPY --from to the image.
func (r roads) along(v *view, list []transfer, stage int, file string, hops int) []string {
	if file == "" || hops == 0 {
		return nil
	}
	var found []string
	for _, t := range list {
		if t.from < 0 || !slices.Contains(v.chainOf(r.Template, t.from), stage) {
			continue
		}
		for _, source := range t.Sources {
			to, ok := r.carried(t, source, file)
			switch {
			case !ok:
			case slices.Contains(v.chain, t.Stage):
				found = append(found, to)
			default:
				found = append(found, r.along(v, list, t.Stage, to, hops-1)...)
			}
		}
	}
	return found
}

// carried is where a COPY --from puts a file. It reports false if it does not take it, or if
// a recipe of the stage may have put another one in its place.
func (r roads) carried(t transfer, source, file string) (string, bool) {
	source = path.Clean("/" + source)
	below := strings.TrimPrefix(strings.TrimPrefix(file, source), "/")
	switch {
	case source != "/" && file != source && !strings.HasPrefix(file, source+"/"):
		return "", false
	case r.makes(t.from) && (file == source || madeFolders.MatchString(file)):
		return "", false
	case t.Dest == "":
		return "", true
	case file == source && strings.HasSuffix(t.Dest, "/"):
		return path.Join(t.Dest, path.Base(file)), true
	}
	return path.Join(t.Dest, below), true
}

// makes tells whether a stage, or one it starts from, runs what makes programs.
func (r roads) makes(stage int) bool {
	for _, at := range r.views[0].chainOf(r.Template, stage) {
		for _, step := range r.steps(at) {
			if run, ok := step.Command.(*instructions.RunCommand); ok && makers.MatchString(textOf(r.Template, step, run)) {
				return true
			}
		}
	}
	return false
}

// textOf is all that a RUN says, as it is written.
func textOf(t *template.Template, step template.Step, _ *instructions.RunCommand) string {
	return string(t.Source[step.Span.Start:step.Span.End])
}

var (
	// makers matches the commands that make programs.
	makers = regexp.MustCompile(`(?m)(^|[\s;&|("/])(make|cmake|ninja|meson|bazel|gcc|g\+\+|cc|c\+\+|clang(\+\+)?|go|cargo|rustc|npm|npx|yarn|pnpm|bun|mvn|mvnw|gradle|gradlew|sbt|lein|ant|pip3?|pipenv|poetry|uv|bundle|composer|dotnet|msbuild|swift|mix|stack|cabal|ghc|zig|nim|crystal|javac|tsc|webpack|configure|(build|compile|make)[\w.-]*\.sh)(\s|$)`)
	// madeFolders matches the folders that such commands write to.
	madeFolders = regexp.MustCompile(`(^|/)(node_modules|target|build|_build|dist|out|bin|obj|\.?venv|vendor|release|debug)(/|$)`)
)
