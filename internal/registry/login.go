package registry

import (
	"os"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Login is a keychain that has one user for the registries of these references or
// repositories; others, and mirrors, get what the keychain below has for them. Nil
// stands for the Docker config of the user.
func Login(user, password string, refs []string, below authn.Keychain) authn.Keychain {
	l := login{authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), map[string]bool{}, below}
	if below == nil {
		l.below = authn.DefaultKeychain
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
