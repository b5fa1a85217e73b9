package containers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// defaultAddress is where Docker listens unless it was told otherwise.
const defaultAddress = "unix:///var/run/docker.sock"

// defaultContext is the context that stands for DOCKER_HOST and the default address.
const defaultContext = "default"

// endpoint is where a Docker engine listens, and how it is spoken to.
type endpoint struct {
	// address with its scheme: unix, tcp, http, https or ssh.
	address string
	// from is where the address was found; empty for the default one.
	from string
	// certs is a folder with ca.pem, cert.pem and key.pem; empty means no TLS.
	certs string
	// unverified takes any certificate.
	unverified bool
}

// Options say where to look for an engine.
type Options struct {
	// Environ in the form of os.Environ. Docker's variables are looked at, and all of it
	// is handed to podman.
	Environ []string
	// Context is a Docker context; empty means the one in force.
	Context string
}

func (o Options) getenv(key string) string {
	value := ""
	for _, entry := range o.Environ {
		if k, v, ok := strings.Cut(entry, "="); ok && k == key {
			value = v // The last one wins.
		}
	}
	return value
}

// endpoint goes by the docker command's order: the context that was named,
// DOCKER_HOST, DOCKER_CONTEXT, the configuration's context, the default.
func (o Options) endpoint() (endpoint, error) {
	name, from := o.Context, "context="
	if name == "" && o.getenv("DOCKER_HOST") == "" {
		name, from = o.getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
		if name == "" {
			var err error
			from = filepath.Join(o.configDir(), "config.json")
			if name, err = currentContext(from); err != nil {
				return endpoint{}, err
			}
		}
	}
	if name != "" && name != defaultContext {
		return o.context(name, from)
	}
	host := o.getenv("DOCKER_HOST")
	if host == "" {
		return endpoint{address: defaultAddress}, nil
	}
	at := endpoint{address: host, from: "DOCKER_HOST"}
	if !strings.Contains(host, "://") {
		at.address = "tcp://" + host
	}
	if o.getenv("DOCKER_TLS_VERIFY") != "" || o.getenv("DOCKER_TLS") != "" {
		at.certs, at.unverified = o.getenv("DOCKER_CERT_PATH"), o.getenv("DOCKER_TLS_VERIFY") == ""
		if at.certs == "" {
			at.certs = o.configDir()
		}
	}
	return at, nil
}

// configDir is the folder of the docker command's configuration.
func (o Options) configDir() string {
	if dir := o.getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(o.getenv("HOME"), ".docker")
}

// currentContext reads the name that `docker context use` has written.
func currentContext(file string) (string, error) {
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if err := readJSON(file, &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &ConfigError{file, err}
	}
	return config.CurrentContext, nil
}

// context looks a Docker context up. Its folder is named by the hash of its name.
func (o Options) context(name, from string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	folder := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	file := filepath.Join(o.configDir(), "contexts", "meta", folder, "meta.json")
	err := readJSON(file, &meta)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, &AddressError{from, fmt.Sprintf("there is no Docker context %q", name), "see `docker context ls` for those that exist"}
	}
	if err != nil {
		return endpoint{}, &ConfigError{file, err}
	}
	docker := meta.Endpoints["docker"]
	at := endpoint{address: docker.Host, from: "Docker context " + name, unverified: docker.SkipTLSVerify}
	if at.address == "" {
		at.address = defaultAddress
	}
	certs := filepath.Join(o.configDir(), "contexts", "tls", folder, "docker")
	if _, err := os.Stat(certs); err == nil {
		at.certs = certs
	}
	return at, nil
}

func readJSON(file string, value any) error {
	body, err := plainfile.Read(file, 1<<20)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, value)
}
