package archbuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
)

// buildxBuilder is a builder as buildx keeps it: a file in its folder of instances.
type buildxBuilder struct {
	Name   string
	Driver string
	Nodes  []buildxNode
}

// buildxNode is one BuildKit of a builder.
type buildxNode struct {
	Name string
	// Endpoint is the BuildKit's own address for the driver remote, else that of the
	// docker or cluster in which it runs, or the name of a docker context.
	Endpoint   string
	DriverOpts map[string]string
}

// chosen is the node that was asked for, by address or by a builder's name.
type chosen struct {
	address, builder string
	// from is how messages call where the builder's name comes from.
	from string
}

// without says how archbuild's own engine is used instead.
func (c chosen) without() string {
	if c.from == builderVariable {
		return "unset " + builderVariable + " to use archbuild's own engine"
	}
	return "leave it out to use archbuild's own engine"
}

// builderVariable names a builder in the environment.
const builderVariable = "BUILDX_BUILDER"

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
type BuilderError struct {
	// From is --builder or BUILDX_BUILDER.
	From, Name string
	Err        error
	Help       string
}

func (e *BuilderError) Error() string { return fmt.Sprintf("%s %s: %v", e.From, e.Name, e.Err) }

// Unwrap gives the cause.
func (e *BuilderError) Unwrap() error { return e.Err }

// Hint says what to do instead.
func (e *BuilderError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *BuilderError) ExitStatus() int { return 2 }

// buildxDir is where buildx keeps its builders.
func (o Options) buildxDir() string {
	if dir := o.Getenv("BUILDX_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(o.dockerConfigDir(), "buildx")
}

// readBuilder finds a builder by name.
func (o Options) readBuilder(c chosen) (buildxBuilder, error) {
	fail := func(err error, help string) (buildxBuilder, error) {
		return buildxBuilder{}, &BuilderError{c.from, c.builder, err, help}
	}
	folder := filepath.Join(o.buildxDir(), "instances")
	if c.builder != filepath.Base(c.builder) {
		return fail(errors.New("that is no name"), "`docker buildx ls` shows the names")
	}
	data, err := os.ReadFile(filepath.Join(folder, c.builder))
	if err != nil && c.builder == "default" {
		return buildxBuilder{}, buildxBuilder{}.refuse(c)
	}
	if err != nil {
		hint := "`docker buildx create` makes one; or " + c.without()
		if names := builderNames(folder); len(names) > 0 {
			hint = "there are: " + strings.Join(names, ", ")
		}
		return fail(fmt.Errorf("there is no such builder in %s", folder), hint)
	}
	var b buildxBuilder
	if err := json.Unmarshal(data, &b); err != nil {
		return fail(fmt.Errorf("reading %s: %w", filepath.Join(folder, c.builder), err), "make it anew: docker buildx rm, docker buildx create")
	}
	if len(b.Nodes) == 0 {
		return fail(errors.New("it has no node"), "make it anew: docker buildx rm, docker buildx create")
	}
	return b, nil
}

// BuilderNames are the names of buildx's builders, for the completion of command lines.
func (o Options) BuilderNames() []string {
	return builderNames(filepath.Join(o.buildxDir(), "instances"))
}

func builderNames(folder string) []string {
	entries, _ := os.ReadDir(folder)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// dial connects to the BuildKit of one node.
func (b buildxBuilder) dial(ctx context.Context, o Options, node buildxNode) (*builder.Node, error) {
	switch b.Driver {
	case "remote":
		return builder.DialTLS(ctx, node.Endpoint, builder.TLS{
			ServerName: node.DriverOpts["servername"], CA: node.DriverOpts["cacert"], Certificate: node.DriverOpts["cert"], Key: node.DriverOpts["key"],
		})
	case "docker-container":
		address, err := o.containerAddress(node)
		if err != nil {
			return nil, err
		}
		return builder.Dial(ctx, address)
	}
	return nil, fmt.Errorf("a node of driver %q", b.Driver) // refuse has said it
}

// errOtherDocker says that a builder's containers run in another docker than the
// client's.
var errOtherDocker = errors.New("its containers run in a docker that DOCKER_HOST does not name")

// containerAddress is a node that runs as a container, as BuildKit's client reaches
// it: through docker exec. Endpoint is docker's address or a context's name.
func (o Options) containerAddress(node buildxNode) (string, error) {
	address := "docker-container://buildx_buildkit_" + node.Name
	switch at := node.Endpoint; {
	case !strings.Contains(at, "://") && at != "" && at != "default":
		return address + "?context=" + url.QueryEscape(at), nil
	case strings.Contains(at, "://") && at != o.Getenv("DOCKER_HOST") && at != "unix:///var/run/docker.sock":
		return "", fmt.Errorf("%w: %s", errOtherDocker, at)
	}
	return address, nil
}

// refuse says of some drivers why they cannot serve.
func (b buildxBuilder) refuse(c chosen) error {
	switch b.Driver {
	case "remote", "docker-container":
		return nil
	case "docker", "":
		return &BuilderError{c.from, c.builder, errors.New("the builder inside Docker cannot be reached by other programs"), "make another: docker buildx create --driver docker-container; or " + c.without()}
	case "kubernetes":
		node := b.Nodes[0]
		namespace := node.DriverOpts["namespace"]
		if namespace == "" {
			namespace = "default"
		}
		return &BuilderError{c.from, c.builder, errors.New("pods of a cluster are not looked for"), fmt.Sprintf(
			"kubectl -n %s get pods -l app=%s shows them; give one: --node kube-pod://POD?namespace=%s", namespace, strings.ReplaceAll(node.Name, "_", "-"), namespace)}
	}
	return &BuilderError{c.from, c.builder, fmt.Errorf("archbuild does not know its driver %q", b.Driver), "use one of driver remote or docker-container"}
}

// builderPlace is the first node of a builder that answers.
func (o Options) builderPlace(ctx context.Context, c chosen) (place, error) {
	b, err := o.readBuilder(c)
	if err == nil {
		err = b.refuse(c)
	}
	if err != nil {
		return place{}, err
	}
	var failed []error
	for _, n := range b.Nodes {
		node, err := b.dial(ctx, o, n)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		node.Name = "builder " + c.builder
		if len(b.Nodes) > 1 {
			node.Name += ", node " + n.Name
			fmt.Fprintf(o.engineLog(), "builder %s has %d nodes; one is used: %s\n", ui.Line(c.builder), len(b.Nodes), ui.Line(n.Name))
		}
		return nodePlace(node.Name, node), nil
	}
	if errors.Is(failed[0], errOtherDocker) {
		return place{}, &BuilderError{c.from, c.builder, failed[0], "set DOCKER_HOST=" + b.Nodes[0].Endpoint}
	}
	err = failed[0]
	if inner := (*builder.NodeError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	help := "see whether it runs: docker buildx inspect --bootstrap " + c.builder
	return place{}, &BuilderError{c.from, c.builder, fmt.Errorf("node %s does not answer: %w", b.Nodes[0].Name, err), help}
}
