package archbuild

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/wrong"
)

// refuseProject says, for a verb that looks at one Dockerfile, what to do with a project.
func (o Options) refuseProject(verb string) error {
	found, _, err := o.projectFile()
	if err != nil || len(found.Files) == 0 {
		return nil // what the verb says of a file that is not there is better
	}
	hint := "name the folder of one of its Dockerfiles: archbuild " + verb + " FOLDER"
	if p, err := o.load(found, nil); err == nil && len(p.Targets) > 0 {
		first := p.Targets[0]
		words := []string{"archbuild", verb, filepath.Clean(first.Context)}
		if first.Dockerfile != "" {
			words = append(words, "-f", fileOf(first))
		}
		hint = "look at them one after the other, as in: " + strings.Join(words, " ")
	}
	return &wrong.Usage{fmt.Errorf("%s lists images, and archbuild %s looks at a Dockerfile", found.Files[0], verb), hint}
}
