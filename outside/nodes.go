package outside

import (
	"errors"
	"path/filepath"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/wrong"
)

// hostVariable names a node in the environment.
const hostVariable = "BUILDKIT_HOST"

// Nodes is what a user can say of where to build.
type Nodes struct {
	// Named are ADDRESS[,KEY=VALUE…] as package nodes reads them.
	Named []string
	// Builder is one of buildx's own, by name.
	Builder string
	// Insecure allows nodes of other machines over tcp without TLS.
	Insecure bool
}

// Specs are the nodes that were asked for: --node or --builder, else BUILDKIT_HOST, else
// BUILDX_BUILDER, else the user's own file, else the private engine.
func (n Nodes) Specs(s System) ([]nodes.Spec, error) {
	list, err := n.named(s)
	if err != nil || n.Insecure {
		return list, err
	}
	var failed []error
	for _, spec := range list {
		failed = append(failed, spec.CheckSecure())
	}
	return list, errors.Join(failed...)
}

// named are those of Specs, however they are reached.
func (n Nodes) named(s System) ([]nodes.Spec, error) {
	switch from, name := n.BuilderName(s); {
	case len(n.Named) > 0 && n.Builder != "":
		return nil, &wrong.Usage{errors.New("--node and --builder both say where to build"), "leave one of them out"}
	case len(n.Named) > 0:
		return parseNodes(n.Named)
	case n.Builder == "" && s.Getenv(hostVariable) != "":
		spec, err := nodes.ParseAddress(s.Getenv(hostVariable))
		return []nodes.Spec{spec}, err
	case name != "":
		return s.Buildx().Read(from, name)
	}
	if file := nodes.UserFile(s.Getenv); file != "" {
		if list, err := nodes.Load(file); err != nil || len(list) > 0 {
			return list, err
		}
	}
	return []nodes.Spec{{Name: nodes.EngineAddress, Address: nodes.EngineAddress, Weight: 1}}, nil
}

func parseNodes(texts []string) ([]nodes.Spec, error) {
	var list []nodes.Spec
	var failed []error
	for _, text := range texts {
		spec, err := nodes.Parse(text)
		list, failed = append(list, spec), append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return nodes.Unique(list)
}

// BuilderName is the name of the builder of buildx's that was asked for, and what by.
func (n Nodes) BuilderName(s System) (from, name string) {
	switch {
	case n.Builder != "":
		return "--builder", n.Builder
	case len(n.Named) > 0 || s.Getenv(hostVariable) != "":
		return "", ""
	}
	return nodes.BuilderVariable, s.Getenv(nodes.BuilderVariable)
}

// Buildx is where buildx keeps its builders.
func (s System) Buildx() nodes.Buildx {
	dir := s.Getenv("BUILDX_CONFIG")
	if dir == "" {
		dir = filepath.Join(s.DockerConfigDir(), "buildx")
	}
	return nodes.Buildx{Dir: dir, DockerHost: s.Getenv("DOCKER_HOST")}
}

// DockerConfigDir is the folder of the Docker config: DOCKER_CONFIG, else ~/.docker.
func (s System) DockerConfigDir() string {
	if dir := s.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(s.Getenv("HOME"), ".docker")
}
