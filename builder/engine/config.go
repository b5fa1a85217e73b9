package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"

	"github.com/archbuild/archbuild/internal/plainfile"
)

// Config is what a buildkitd.toml says, in BuildKit's own words.
type Config = config.Config

// maxConfig bounds a buildkitd.toml, in bytes: its reader takes fifty times that of memory.
const maxConfig = 256 << 10

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
	data, err := plainfile.Read(path, maxConfig)
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

// configHash identifies everything that is fixed when an engine starts: the
// bytes of its configuration and the proxies, certificates and bounds of output
// of its environment.
func configHash(data []byte, environ []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(data))
	h.Write(data)
	for _, kv := range scrub(environ) {
		if name, _, _ := strings.Cut(kv, "="); isSetting(name) {
			fmt.Fprintf(h, "%s\n", kv)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func parsePlatforms(names []string) ([]ocispecs.Platform, error) {
	var out []ocispecs.Platform
	for _, name := range names {
		p, err := platforms.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("worker.oci.platforms: %w", err)
		}
		out = append(out, platforms.Normalize(p))
	}
	return out, nil
}
