package registry

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// Access is how a registry lets this user in.
type Access struct {
	// Mirror that answered in the registry's place, or empty.
	Mirror string
	// Anonymous says that there are no credentials for it.
	Anonymous bool
	// Asks says that the registry asks who one is; what it lets everybody do, it lets do
	// without an answer.
	Asks bool
}

// Access asks whether a registry can be reached and takes the credentials that
// there are for it, with a question that changes nothing and counts against no
// limit: what ref is. That it does not exist is no error. With push the registry
// itself is asked, and for a permission to write. Who refuses is an *Error of kind
// Unauthorized; the Access is told with it.
func (c *Client) Access(ctx context.Context, ref string, push bool) (a Access, err error) {
	at, err := parse(ref)
	if err != nil {
		return a, err
	}
	if push {
		e, err := c.origin(at.domain)
		if err != nil {
			return a, err
		}
		err = e.access(ctx, at, transport.PushScope, &a)
		if err != nil {
			return a, itself(failure(ctx, at.written, at.domain, err))
		}
		return a, nil
	}
	err = c.each(ctx, at, func(e *endpoint) error {
		a = Access{}
		if host := e.registry.RegistryStr(); host != mustOrigin(c, at.domain) {
			a.Mirror = host
		}
		return e.access(ctx, at, transport.PullScope, &a)
	})
	return a, err
}

// mustOrigin is how the registry of a domain is called on the wire; docker.io is
// called otherwise there.
func mustOrigin(c *Client, domain string) string {
	if e, err := c.origin(domain); err == nil {
		return e.registry.RegistryStr()
	}
	return domain
}

func (e *endpoint) access(ctx context.Context, at address, action string, a *Access) error {
	s, err := e.session(ctx, e.repo(at), action, "")
	auth, failed := e.auths.do(ctx, e.repo(at).String(), func() (authn.Authenticator, error) {
		return authn.Resolve(ctx, e.keychain, e.repo(at))
	})
	a.Anonymous = failed == nil && auth == authn.Anonymous
	if err != nil {
		return err
	}
	if challenge, err := transport.Ping(ctx, e.registry, e.wire); err == nil { // answered from memory
		a.Asks = challenge.Scheme != ""
	}
	_, err = s.finish(ctx, s.ask(http.MethodHead, e.reference(at)), http.StatusOK, http.StatusNotFound)
	return err
}

// Source says where credentials for a registry are looked for. What they are it
// does not know.
type Source struct {
	// File is the configuration that is read: Docker's, else podman's; empty where
	// there is none. It may be the name of an environment variable: $DOCKER_AUTH_CONFIG.
	File string
	// Helper is the program that keeps them, docker-credential-…; empty where File does.
	Helper string
	// NoHelper says that this program is not on PATH.
	NoHelper bool
	// Err is why File cannot be read.
	Err error
}

// SourceOf finds where credentials for the registry that references call domain
// are looked for. file is the configuration that was named (as for DockerConfig), or
// empty for the usual places. No helper is run.
func SourceOf(domain, file string, getenv func(string) string) Source {
	var s Source
	var read *configfile.ConfigFile
	key := domain
	if domain == "docker.io" {
		key = authn.DefaultAuthKey
	}
	switch {
	case file != "":
		s.File = file
		read, s.Err = loadConfig(file)
	case getenv("DOCKER_AUTH_CONFIG") != "":
		return Source{File: "$DOCKER_AUTH_CONFIG"}
	default:
		if s.File = configPath(getenv); s.File == "" {
			return s
		}
		read, s.Err = loadConfig(s.File)
	}
	if s.Err != nil {
		return s
	}
	helper := read.CredentialsStore
	if own, ok := read.CredentialHelpers[key]; ok {
		helper = own
	}
	if helper != "" {
		s.Helper = "docker-credential-" + helper
		_, err := exec.LookPath(s.Helper)
		s.NoHelper = err != nil
	}
	return s
}

// configPath is the file that authn.DefaultKeychain reads; empty for none.
func configPath(getenv func(string) string) string {
	docker := filepath.Join(getenv("DOCKER_CONFIG"), config.ConfigFileName)
	home := filepath.Join(getenv("HOME"), ".docker", config.ConfigFileName)
	if getenv("DOCKER_CONFIG") == "" {
		docker = home
	}
	settings := getenv("XDG_CONFIG_HOME")
	if settings == "" {
		settings = filepath.Join(getenv("HOME"), ".config")
	}
	places := []string{docker, getenv("REGISTRY_AUTH_FILE")}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "containers", "auth.json"))
	}
	for _, path := range append(places, filepath.Join(settings, "containers", "auth.json")) {
		if info, err := os.Stat(path); path != "" && err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

func loadConfig(path string) (*configfile.ConfigFile, error) {
	text, err := plainfile.Read(path, maxConfig)
	if err != nil {
		return nil, err
	}
	read := configfile.New(path)
	return read, read.LoadFromReader(bytes.NewReader(text))
}
