package archbuild

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/cli/cli/config/configfile"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// proxies are build arguments that docker takes from the Docker config for every
// build: those of the engine's address (DOCKER_HOST), else those called default.
// Their values can hold a password, so only names are ever shown.
func (o Options) proxies() map[string]string {
	file := filepath.Join(o.DockerConfigDir(), "config.json")
	text, err := plainfile.Read(file, maxBeside)
	if err != nil {
		return nil // most people have none, and one that cannot be read holds nothing
	}
	config := configfile.New(file)
	if err := config.LoadFromReader(bytes.NewReader(text)); err != nil {
		return nil // registries tell of it, where it matters
	}
	host := o.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	proxy, ok := config.Proxies[host]
	if !ok {
		proxy = config.Proxies["default"]
	}
	args := map[string]string{}
	for name, value := range map[string]string{
		"HTTP_PROXY": proxy.HTTPProxy, "HTTPS_PROXY": proxy.HTTPSProxy, "NO_PROXY": proxy.NoProxy, "FTP_PROXY": proxy.FTPProxy, "ALL_PROXY": proxy.AllProxy,
	} {
		if value != "" { // programs look for either spelling
			args[name], args[strings.ToLower(name)] = value, value
		}
	}
	return args
}

// proxyNotes tell which build arguments the Docker config adds.
func (r run) proxyNotes() []string {
	if len(r.proxyArgs) == 0 {
		return nil
	}
	var names, secret []string
	for _, name := range slices.Sorted(maps.Keys(r.proxyArgs)) {
		if name != strings.ToUpper(name) {
			continue
		}
		names = append(names, name)
		if strings.Contains(r.proxyArgs[name], "@") { // with a scheme or without, well written or not
			secret = append(secret, name)
		}
	}
	notes := []string{fmt.Sprintf("build arguments from the proxies of %s: %s", filepath.Join(r.DockerConfigDir(), "config.json"), strings.Join(names, ", "))}
	if len(secret) > 0 && r.provenance != "" {
		notes = append(notes, fmt.Sprintf("%s holds a password, and provenance tells every build argument: leave --provenance out, or give --build-arg %s without one", strings.Join(secret, ", "), secret[0]))
	}
	return notes
}
