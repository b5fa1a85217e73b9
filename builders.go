package archbuild

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/wrong"
)

// builderVariable names a builder in the environment.
const builderVariable = nodes.BuilderVariable

// hostVariable names a node in the environment.
const hostVariable = "BUILDKIT_HOST"

// BuilderError says that a builder of buildx's cannot be used.
type BuilderError = nodes.BuilderError

// specs are the nodes that were asked for: --node or --builder, else BUILDKIT_HOST, else
// BUILDX_BUILDER, else the user's own file, else the private engine.
func (o Options) specs() ([]nodes.Spec, error) {
	list, err := o.namedSpecs()
	if err != nil || o.NodeInsecure {
		return list, err
	}
	var failed []error
	for _, spec := range list {
		failed = append(failed, spec.CheckSecure())
	}
	return list, errors.Join(failed...)
}

// namedSpecs are those of specs, however they are reached.
func (o Options) namedSpecs() ([]nodes.Spec, error) {
	switch from, name := o.builder(); {
	case len(o.Nodes) > 0 && o.Builder != "":
		return nil, &wrong.Usage{errors.New("--node and --builder both say where to build"), "leave one of them out"}
	case len(o.Nodes) > 0:
		return parseNodes(o.Nodes)
	case o.Builder == "" && o.Getenv(hostVariable) != "":
		spec, err := nodes.ParseAddress(o.Getenv(hostVariable))
		return []nodes.Spec{spec}, err
	case name != "":
		return o.buildx().Read(from, name)
	}
	if file := nodes.UserFile(o.Getenv); file != "" {
		if list, err := nodes.Load(file); err != nil || len(list) > 0 {
			return list, err
		}
	}
	return []nodes.Spec{{Name: engineName, Address: nodes.EngineAddress, Weight: 1}}, nil
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

// builder is the name of the builder of buildx's that was asked for, and what by.
func (o Options) builder() (from, name string) {
	switch {
	case o.Builder != "":
		return "--builder", o.Builder
	case len(o.Nodes) > 0 || o.Getenv(hostVariable) != "":
		return "", ""
	}
	return builderVariable, o.Getenv(builderVariable)
}

// ofBuilder is the error of a builder's node that does not answer.
func (o Options) ofBuilder(node string, err error) error {
	from, name := o.builder()
	if name == "" || err == nil {
		return err
	}
	if silent := new(SilentNodeError); errors.As(err, &silent) {
		err = errors.New(silent.Facts.Error)
	}
	return &BuilderError{
		From: from, Name: name, Err: fmt.Errorf("node %s does not answer: %w", node, err),
		Help: "see whether it runs: docker buildx inspect --bootstrap " + name,
	}
}

// buildxDir is where buildx keeps its builders.
func (o Options) buildxDir() string {
	if dir := o.Getenv("BUILDX_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(o.dockerConfigDir(), "buildx")
}

// buildx is where builders are found.
func (o Options) buildx() nodes.Buildx {
	return nodes.Buildx{Dir: o.buildxDir(), DockerHost: o.Getenv("DOCKER_HOST")}
}

// BuilderNames are the names of buildx's builders, for the completion of command lines.
func (o Options) BuilderNames() []string { return o.buildx().Names() }
