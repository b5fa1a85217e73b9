package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/sirupsen/logrus"
)

// Config is what a buildkitd.toml says, in BuildKit's own words.
type Config = config.Config

// LoadConfig reads a buildkitd.toml. An empty path is an empty configuration; a
// file that is not there is an error. The error is a *ConfigError.
//
// The tables that matter to the private engine: registry, worker.oci (labels,
// snapshotter overlayfs or native, garbage collection, network, parallelism,
// AppArmor, SELinux, cgroup parent), dns, history, frontend, log.level,
// system.maxRegistryConcurrency, insecure-entitlements, proxyNetwork. Where it
// listens and keeps its data is archbuild's business, and some parts are not
// compiled in: root, grpc, otel, cdi, cache and worker.containerd are passed over.
func LoadConfig(path string) (Config, error) {
	cfg, _, err := readConfig(path)
	return cfg, err
}

// readConfig reads a configuration and gives the bytes it was read from.
func readConfig(path string) (Config, []byte, error) {
	if path == "" {
		return Config{}, nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, nil, &ConfigError{File: path, Err: err}
	}
	cfg, err := config.Load(bytes.NewReader(data))
	if err != nil {
		return Config{}, nil, &ConfigError{File: path, Err: err}
	}
	if err := checkConfig(cfg); err != nil {
		return Config{}, nil, &ConfigError{File: path, Err: err}
	}
	return cfg, data, nil
}

// checkConfig refuses what the private engine does not have, so that nobody
// believes it is in force.
func checkConfig(cfg Config) error {
	oci := cfg.Workers.OCI
	switch {
	case !slices.Contains([]string{"", "auto", "overlayfs", "native"}, oci.Snapshotter):
		return fmt.Errorf("worker.oci.snapshotter %q is not in the private engine (it has overlayfs and native)", oci.Snapshotter)
	case oci.ProxySnapshotterPath != "":
		return fmt.Errorf("worker.oci.proxySnapshotterPath is not in the private engine")
	case oci.Rootless || oci.NoProcessSandbox:
		return fmt.Errorf("worker.oci.rootless and noProcessSandbox are not in the private engine")
	case oci.Enabled != nil && !*oci.Enabled:
		return fmt.Errorf("worker.oci is switched off; the private engine has no other worker")
	}
	if sys := cfg.System; sys != nil && sys.MaxRegistryConcurrency != nil && *sys.MaxRegistryConcurrency <= 0 {
		return fmt.Errorf("system.maxRegistryConcurrency must be more than zero")
	}
	if _, err := parsePlatforms(oci.Platforms); err != nil {
		return err
	}
	_, err := logLevel(cfg)
	return err
}

// logLevel is how much engine.log gets: what BuildKit calls info unless told
// otherwise.
func logLevel(cfg Config) (logrus.Level, error) {
	if cfg.Log.Level == "" {
		return logrus.InfoLevel, nil
	}
	level, err := logrus.ParseLevel(cfg.Log.Level)
	if err != nil {
		return level, fmt.Errorf("log.level: %w", err)
	}
	return level, nil
}

// Registry is how to talk to one registry, as a [registry."HOST"] table says.
type Registry struct {
	// Mirrors are tried before the registry itself: host, optionally a path.
	Mirrors []string
	// PlainHTTP is nil when the file does not say: then only a registry on
	// this machine is spoken to without TLS.
	PlainHTTP *bool
	// Insecure accepts any certificate.
	Insecure bool
	// CAs are PEM files trusted besides those of the system.
	CAs []string
	// KeyPairs are client certificates.
	KeyPairs []KeyPair
	// TLSDirs are folders of *.crt (authorities) and NAME.cert with NAME.key.
	TLSDirs []string
}

// KeyPair is a client certificate: two PEM files.
type KeyPair struct {
	Certificate string
	Key         string
}

// Registries gives the [registry] tables of a configuration as plain data, by
// host, for whoever talks to the same registries without BuildKit.
func Registries(cfg Config) map[string]Registry {
	out := make(map[string]Registry, len(cfg.Registries))
	for host, r := range cfg.Registries {
		reg := Registry{
			Mirrors:   slices.Clone(r.Mirrors),
			PlainHTTP: r.PlainHTTP,
			Insecure:  r.Insecure != nil && *r.Insecure,
			CAs:       slices.Clone(r.RootCAs),
			TLSDirs:   slices.Clone(r.TLSConfigDir),
		}
		for _, pair := range r.KeyPairs {
			reg.KeyPairs = append(reg.KeyPairs, KeyPair{Certificate: pair.Certificate, Key: pair.Key})
		}
		out[host] = reg
	}
	return out
}

// configHash identifies everything that is fixed when an engine starts: the
// bytes of its configuration and the proxies and certificates of its
// environment.
func configHash(data []byte, environ []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(data))
	h.Write(data)
	for _, kv := range scrub(environ) {
		if name, _, _ := strings.Cut(kv, "="); isNetwork(name) {
			fmt.Fprintf(h, "%s\n", kv)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
