package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/internal/ui"
)

// chosen is the node that was asked for, by address or by a builder's name.
type chosen struct {
	address, builder string
	// from is how messages call where the builder's name comes from.
	from string
}

// builderVariable names a builder in the environment.
const builderVariable = nodes.BuilderVariable

// chooseNode reads --node and --builder, else BUILDKIT_HOST, else BUILDX_BUILDER.
// None of them is the private engine.
func (o Options) chooseNode() (chosen, error) {
	host, name := o.Getenv("BUILDKIT_HOST"), o.Getenv(builderVariable)
	switch {
	case o.Node != "" && o.Builder != "":
		return chosen{}, &UsageError{errors.New("--node and --builder both say where to build"), "leave one of them out"}
	case o.Node != "":
		return chosen{address: o.Node}, nil
	case o.Builder != "":
		return chosen{builder: o.Builder, from: "--builder"}, nil
	case host != "":
		return chosen{address: host}, nil
	}
	return chosen{builder: name, from: builderVariable}, nil
}

// BuilderError says that a builder of buildx's cannot be used.
type BuilderError = nodes.BuilderError

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

// builderPlace is the first node of a builder that answers.
func (o Options) builderPlace(ctx context.Context, c chosen) (place, error) {
	b, err := o.buildx().Read(c.from, c.builder)
	if err != nil {
		return place{}, err
	}
	var failed error
	for _, n := range b.Nodes {
		node, err := builder.DialTLS(ctx, n.Address, n.TLS)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		node.Name = "builder " + c.builder
		if count := len(b.Nodes) + len(b.Unusable); count > 1 {
			node.Name += ", node " + n.Name
			fmt.Fprintf(o.engineLog(), "builder %s has %d nodes; one is used: %s\n", ui.Line(c.builder), count, ui.Line(n.Name))
		}
		return nodePlace(node.Name, node), nil
	}
	if inner := (*builder.NodeError)(nil); errors.As(failed, &inner) {
		failed = inner.Err
	}
	help := "see whether it runs: docker buildx inspect --bootstrap " + c.builder
	return place{}, &BuilderError{From: c.from, Name: c.builder, Err: fmt.Errorf("node %s does not answer: %w", b.Nodes[0].Name, failed), Help: help}
}
