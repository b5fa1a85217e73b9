package archbuild

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/wrong"
)

// refuseProject says, for a verb that looks at one Dockerfile, what to do with a project.
func (o Options) refuseProject(verb string) error {
	found, _, err := o.projectFile()
	if err != nil || len(found.Files) == 0 {
		return nil // what the verb says of a file that is not there is better
	}
	hint := "name the folder of one of its Dockerfiles: archbuild " + verb + " FOLDER"
	targets := o.targetsOf(found, nil)
	for _, in := range []string{"", filepath.Dir(found.Files[0])} {
		i := slices.IndexFunc(targets, func(t project.Target) bool { return t.Inline == "" && isSource(t, in) })
		if i < 0 {
			continue
		}
		hint = "look at them one after the other, as in: " + lookAt(verb, targets[i])
		if in != "" {
			hint = "cd " + in + ", and " + hint
		}
		break
	}
	return &wrong.Usage{fmt.Errorf("%s lists images, and archbuild %s looks at a Dockerfile", found.Files[0], verb), hint}
}

// lookAt is the command line that looks at one target's Dockerfile.
func lookAt(verb string, t project.Target) string {
	words := []string{"archbuild", verb, filepath.Clean(t.Context)}
	if t.Dockerfile != "" {
		words = append(words, "-f", fileOf(t))
	}
	return strings.Join(words, " ")
}
