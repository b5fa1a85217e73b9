package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/plainfile"
	"github.com/archbuild/archbuild/platform"
)

// Buildx is where buildx keeps its builders: a file for each, made by `docker
// buildx create`.
type Buildx struct {
	// Dir is BUILDX_CONFIG, else the folder buildx of Docker's configuration.
	Dir string
	// DockerHost is DOCKER_HOST: the docker in which containers are looked for.
	DockerHost string
}

// BuilderVariable names a builder in the environment.
const BuilderVariable = "BUILDX_BUILDER"

// instance is a builder as its file has it.
type instance struct {
	Name   string
	Driver string
	Nodes  []instanceNode
}

type instanceNode struct {
	Name string
	// Endpoint is the BuildKit's own address for the driver remote, else that of the
	// docker or cluster in which it runs, or the name of a docker context.
	Endpoint string
	// Platforms are those that the user has given to `buildx create`.
	Platforms  []ocispecs.Platform
	DriverOpts map[string]string
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

// without says how archbuild's own engine is used instead.
func without(from string) string {
	if from == BuilderVariable {
		return "unset " + BuilderVariable + " to use archbuild's own engine"
	}
	return "leave it out to use archbuild's own engine"
}

// Names are the builders that there are.
func (b Buildx) Names() []string {
	entries, _ := os.ReadDir(b.folder())
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func (b Buildx) folder() string { return filepath.Join(b.Dir, "instances") }

// Read gives the nodes of a builder; from is what has named it, --builder or
// BUILDX_BUILDER. At least one of them can be tried; the others carry an Err. The
// error is a *BuilderError.
func (b Buildx) Read(from, name string) ([]Spec, error) {
	found, err := b.instance(from, name)
	if err == nil {
		err = found.refuse(from, name)
	}
	if err != nil {
		return nil, err
	}
	var list []Spec
	unusable := 0
	for _, n := range found.Nodes {
		spec, err := b.spec(found.Driver, n)
		if err != nil {
			unusable++
			spec.Err = &BuilderError{from, name, fmt.Errorf("node %s: %w", quoted(n.Name), err), b.otherwise(n, err)}
		}
		spec.From = from + " " + name
		list = append(list, spec)
	}
	if unusable == len(list) {
		return nil, list[0].Err
	}
	unique, err := Unique(list)
	if err != nil {
		return nil, &BuilderError{from, name, err, remake}
	}
	return unique, nil
}

// remake is what helps when a builder's file is broken.
const remake = "make it anew: docker buildx rm, docker buildx create"

// instance reads the file of a builder.
func (b Buildx) instance(from, name string) (instance, error) {
	fail := func(err error, help string) (instance, error) {
		return instance{}, &BuilderError{from, name, err, help}
	}
	if name != filepath.Base(name) {
		return fail(errors.New("that is no name"), "`docker buildx ls` shows the names")
	}
	data, err := readBounded(filepath.Join(b.folder(), name))
	if err != nil && name == "default" {
		return instance{}, instance{}.refuse(from, name)
	}
	if err != nil {
		hint := "`docker buildx create` makes one; or " + without(from)
		if names := b.Names(); len(names) > 0 {
			hint = "there are: " + strings.Join(names, ", ")
		}
		return fail(fmt.Errorf("there is no such builder in %s", b.folder()), hint)
	}
	var found instance
	if err := json.Unmarshal(data, &found); err != nil {
		return fail(fmt.Errorf("reading %s: %w", filepath.Join(b.folder(), name), err), remake)
	}
	if len(found.Nodes) == 0 {
		return fail(errors.New("it has no node"), remake)
	}
	return found, nil
}

// readBounded reads a file of which a few megabytes are enough.
func readBounded(path string) ([]byte, error) {
	return plainfile.Read(path, 8<<20)
}

// refuse says of some drivers why they cannot serve.
func (i instance) refuse(from, name string) error {
	fail := func(err error, help string) error { return &BuilderError{from, name, err, help} }
	switch i.Driver {
	case "remote", "docker-container":
		return nil
	case "docker", "":
		return fail(errors.New("the builder inside Docker cannot be reached by other programs"), "make another: docker buildx create --driver docker-container; or "+without(from))
	case "kubernetes":
		node := i.Nodes[0]
		namespace := node.DriverOpts["namespace"]
		if namespace == "" {
			namespace = "default"
		}
		return fail(errors.New("pods of a cluster are not looked for"), fmt.Sprintf(
			"kubectl -n %s get pods -l app=%s shows them; give one: --node kube-pod://POD?namespace=%s", namespace, strings.ReplaceAll(node.Name, "_", "-"), namespace))
	}
	return fail(fmt.Errorf("archbuild does not know its driver %q", i.Driver), "use one of driver remote or docker-container")
}

// errOtherDocker says that a builder's containers run in another docker than the
// client's.
var errOtherDocker = errors.New("its containers run in a docker that DOCKER_HOST does not name")

// spec is a node of a builder as any other node; with an error it has a name.
func (b Buildx) spec(driver string, node instanceNode) (Spec, error) {
	none := Spec{Name: legible(node.Name), Address: node.Endpoint, Weight: 1}
	address := node.Endpoint
	if driver == "docker-container" {
		var err error
		if address, err = b.container(node); err != nil {
			return none, err
		}
	}
	spec, err := ParseAddress(address)
	if err != nil {
		return none, err
	}
	if node.Name != "" {
		spec.Name = none.Name
	}
	for _, p := range node.Platforms {
		if own := platform.FromOCI(p); !slices.Contains(spec.Platforms, own) {
			spec.Platforms = append(spec.Platforms, own)
		}
	}
	if driver == "remote" {
		spec.TLS = builder.TLS{
			ServerName: node.DriverOpts["servername"], CA: node.DriverOpts["cacert"], Certificate: node.DriverOpts["cert"], Key: node.DriverOpts["key"],
		}
	}
	return spec, nil
}

// container is the address of a node that runs as a container: BuildKit's client
// reaches it through docker exec. Endpoint is docker's address or a context's name.
func (b Buildx) container(node instanceNode) (string, error) {
	address := "docker-container://buildx_buildkit_" + node.Name
	switch at := node.Endpoint; {
	case !strings.Contains(at, "://") && at != "" && at != "default":
		return address + "?context=" + at, nil
	case strings.Contains(at, "://") && at != b.DockerHost && at != "unix:///var/run/docker.sock":
		return "", fmt.Errorf("%w: %s", errOtherDocker, Shown(at))
	}
	return address, nil
}

// otherwise is what to do about a node that cannot be reached from here.
func (b Buildx) otherwise(node instanceNode, err error) string {
	if errors.Is(err, errOtherDocker) {
		return "set DOCKER_HOST=" + node.Endpoint
	}
	if hint := hintOf(err); hint != "" {
		return hint + "; docker buildx create --node changes it"
	}
	return remake
}
