package config

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/goccy/go-yaml/ast"

	"github.com/archbuild/archbuild/platform"
)

// Service says where an image is built from that a compose file beside archbuild.yaml only names.
type Service struct {
	// Image as the compose file has it; without a tag it stands for every tag.
	Image string
	// Context as a compose file's build.context: a folder relative to archbuild.yaml, or what else is a context.
	Context string
	// Dockerfile is relative to the context; empty is the usual name. Target is the stage; empty is the last.
	Dockerfile, Target string
	Args               []Arg
	// Line of the image's name.
	Line int
}

// serviceKeys are those of one entry of services.
var serviceKeys = []string{"context", "dockerfile", "target", "args"}

// services reads either a context alone, or a mapping that says more, for each image.
func (r *reader) services(node ast.Node) []Service {
	var services []Service
	seen := once[string]{}
	for _, e := range r.mapping(node, nil) {
		named, err := reference.ParseNormalizedNamed(e.key.text)
		if err != nil {
			r.fail(e.key, fmt.Sprintf("%q is no name of an image: %v", e.key.text, err), "write it as the compose file has it under image:")
			continue
		}
		if !seen.first(r, named.String(), e.key) {
			continue
		}
		s := Service{Image: e.key.text, Line: e.key.line}
		if !isMapping(r.follow(e.value)) {
			if value, ok := r.scalar(e.value); ok {
				s.Context = r.filled(value)
				services = append(services, s)
			}
			continue
		}
		for _, inner := range r.mapping(e.value, serviceKeys) {
			if inner.key.text == "args" {
				s.Args = r.plainArgs(inner.value)
				continue
			}
			value, ok := r.scalar(inner.value)
			if !ok {
				continue
			}
			*map[string]*string{"context": &s.Context, "dockerfile": &s.Dockerfile, "target": &s.Target}[inner.key.text] = r.filled(value)
		}
		if s.Context == "" && len(r.errs) == 0 {
			r.fail(e.key, fmt.Sprintf("%s has no context", e.key.text), "write context: FOLDER")
		}
		services = append(services, s)
	}
	return services
}

// filled is a value that must not be empty.
func (r *reader) filled(value text) string {
	if value.text == "" {
		r.fail(value, "a value is empty here", "write one, or leave the key out")
	}
	return value.text
}

// plainArgs are build arguments of one service, for all its platforms.
func (r *reader) plainArgs(node ast.Node) []Arg {
	args := r.args(node)
	for _, arg := range args {
		if arg.Platform != (platform.Platform{}) {
			r.fail(text{line: arg.Line, column: 1}, "arguments for one platform are not read here", "put them into the archbuild.yaml beside the service's Dockerfile")
			break
		}
	}
	return args
}
