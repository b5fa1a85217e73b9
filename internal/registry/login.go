package registry

import (
	"os"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"
)

// Login is a keychain that has one user for every registry.
func Login(user, password string) authn.Keychain {
	return login{authn.FromConfig(authn.AuthConfig{Username: user, Password: password})}
}

type login struct{ authn.Authenticator }

func (l login) Resolve(authn.Resource) (authn.Authenticator, error) { return l.Authenticator, nil }

// DockerConfig is a keychain of the Docker config in a file, with its credential
// helpers.
func DockerConfig(path string) (authn.Keychain, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	config := configfile.New(path)
	if err := config.LoadFromReader(f); err != nil {
		return nil, err
	}
	return dockerConfig{config}, nil
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
