package registry

import (
	"fmt"
	"os"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// Login is a keychain that has one user for the registries of these references or
// repositories; others, and mirrors, get what the keychain below has for them. Nil
// stands for the Docker config of the user.
func Login(user, password string, refs []string, below authn.Keychain) authn.Keychain {
	l := login{authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), map[string]bool{}, below}
	if below == nil {
		l.below = usual{}
	}
	for _, ref := range refs {
		at, err := parse(ref)
		if err != nil {
			continue // Nobody will be asked for it.
		}
		if reg, err := name.NewRegistry(at.domain); err == nil {
			l.hosts[reg.RegistryStr()] = true
		}
	}
	return l
}

type login struct {
	authn.Authenticator
	hosts map[string]bool
	below authn.Keychain
}

// Resolve gives the user to the registries that it belongs to.
func (l login) Resolve(of authn.Resource) (authn.Authenticator, error) {
	if l.hosts[of.RegistryStr()] {
		return l.Authenticator, nil
	}
	return l.below.Resolve(of)
}

// DockerConfig is a keychain of the Docker config in a file, with its credential
// helpers.
func DockerConfig(path string) (authn.Keychain, error) {
	config, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	return dockerConfig{config}, nil
}

// maxConfig bounds a Docker config, in bytes.
const maxConfig = 4 << 20

// usual is authn.DefaultKeychain, which reads the user's Docker config, or podman's: whatever lies there.
type usual struct{}

// Resolve finds the credentials of a registry; none means anonymous.
func (usual) Resolve(of authn.Resource) (authn.Authenticator, error) {
	if os.Getenv("DOCKER_AUTH_CONFIG") == "" {
		if path := configPath(os.Getenv); path != "" {
			if err := plainfile.Check(path, maxConfig); err != nil {
				return nil, fmt.Errorf("reading %s: %w", path, err)
			}
		}
	}
	return authn.DefaultKeychain.Resolve(of)
}

// CredentialsError says that the credentials for a registry, or that there are none, could not be found out.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return fmt.Sprintf("finding credentials: %v", e.Err) }

// Unwrap gives the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// Hint is the one thing to do.
func (e *CredentialsError) Hint() string {
	return "correct Docker's config.json, or the helper that it names: docker login writes it anew"
}

type dockerConfig struct{ file *configfile.ConfigFile }

// Resolve finds the credentials of a registry; none means anonymous.
func (d dockerConfig) Resolve(of authn.Resource) (authn.Authenticator, error) {
	key := of.RegistryStr()
	if key == "index.docker.io" {
		key = authn.DefaultAuthKey
	}
	found, err := d.file.GetAuthConfig(key)
	if err != nil || found.Username == "" && found.Auth == "" && found.IdentityToken == "" && found.RegistryToken == "" {
		return authn.Anonymous, err
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: found.Username, Password: found.Password, Auth: found.Auth,
		IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
	}), nil
}
