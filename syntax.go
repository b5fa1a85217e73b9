package archbuild

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/distribution/reference"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/version"
)

// syntaxOf is the frontend that a job asks for: BUILDKIT_SYNTAX, else the
// template's # syntax= line.
func syntaxOf(p plan.Plan, job plan.Job) string {
	if image, _, _ := strings.Cut(strings.TrimSpace(job.Args["BUILDKIT_SYNTAX"]), " "); image != "" {
		return image
	}
	return p.Syntax
}

// chooseFrontends decides who reads the file of each job, and says so. On a
// node that is not of this program's BuildKit the line counts as it stands.
func chooseFrontends(p plan.Plan, current bool) []string {
	var notes []string
	for i, job := range p.Jobs {
		syntax := syntaxOf(p, job)
		if syntax == "" {
			continue
		}
		note := fmt.Sprintf("# syntax=%s is served by the frontend inside BuildKit, nothing is pulled for it", syntax)
		if !current || !builtinSyntax(syntax) {
			p.Jobs[i].Frontend = syntax
			note = fmt.Sprintf("# syntax=%s is another frontend: the node fetches and trusts it", syntax)
		}
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// builtinSyntax says whether the engine's own frontend reads a file with this
// `# syntax=`: none, or docker/dockerfile in a version that it has itself.
func builtinSyntax(syntax string) bool {
	if syntax == "" {
		return true
	}
	named, err := reference.ParseNormalizedNamed(syntax)
	if err != nil || named.Name() != "docker.io/docker/dockerfile" {
		return false
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		_, pinned := named.(reference.Digested)
		return !pinned
	}
	major, rest, _ := strings.Cut(tagged.Tag(), ".")
	if major == "latest" || major == "1" && rest == "" {
		return true
	}
	text, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(text) // "-labs" and the like are no number
	return err == nil && major == "1" && !strings.Contains(rest, "-") && minor <= ownSyntax()
}

// ownSyntax is the minor version of the docker/dockerfile 1.x inside this BuildKit.
func ownSyntax() int {
	_, rest, _ := strings.Cut(dockerfile.Version(), ".")
	text, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return minor
}
