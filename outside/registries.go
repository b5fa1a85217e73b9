package outside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/wrong"
)

// Registries is what a user can say of how registries are asked. What is not
// said comes from buildkitd.toml and the Docker config.
type Registries struct {
	// Concurrency is how many requests a registry gets at once, Rate how many in a
	// second; 0 means what archbuild thinks fit, and no limit.
	Concurrency int
	Rate        float64
	// PlainHTTP speaks http to every registry that buildkitd.toml does not name,
	// Insecure takes any certificate of theirs.
	PlainHTTP, Insecure bool
	// Username and Password are for the registries of the indexes that are made;
	// those of sources elsewhere get what the Docker config has for them.
	Username, Password string
	// DockerConfig is a config.json or the folder of one; empty means DOCKER_CONFIG,
	// else ~/.docker.
	DockerConfig string

	// Targets are the names that Username is for.
	Targets []string
	// Backoff is the first pause before a question is asked again; 0 is the usual one.
	Backoff time.Duration
	// Dial makes connections; nil means the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Asked is told each image that a registry is asked for; it may be nil.
	Asked func(ref string)
}

// otherHosts is how registries are reached that buildkitd.toml does not name.
func (r Registries) otherHosts() registry.Host {
	host := registry.Host{Insecure: r.Insecure}
	if r.PlainHTTP {
		host.HTTP = &r.PlainHTTP
	}
	return host
}

// keychain finds credentials; nil means the usual places.
func (r Registries) keychain() (authn.Keychain, error) {
	switch {
	case r.Concurrency < 0 || r.Rate < 0:
		return nil, &wrong.Usage{errors.New("--registry-concurrency and --registry-rate are not below 0"), "leave them out for what archbuild thinks fit"}
	case (r.Username == "") != (r.Password == ""):
		return nil, &wrong.Usage{errors.New("--username and --password belong together"), "better: docker login, and neither of them"}
	}
	keys, err := r.dockerConfig()
	if err == nil && r.Username != "" {
		keys = registry.Login(r.Username, r.Password, r.Targets, keys)
	}
	return keys, err
}

// DockerConfigFile is the one that was named, or empty.
func (r Registries) DockerConfigFile() string {
	path := r.DockerConfig
	if info, err := os.Stat(path); path != "" && err == nil && info.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	return path
}

// dockerConfig reads the one that was named, if any.
func (r Registries) dockerConfig() (authn.Keychain, error) {
	if r.DockerConfig == "" {
		return nil, nil
	}
	keys, err := registry.DockerConfig(r.DockerConfigFile())
	if err != nil {
		return nil, &wrong.Usage{fmt.Errorf("--docker-cfg %s: %w", r.DockerConfig, err), "give a config.json, or the folder of one"}
	}
	return keys, nil
}
