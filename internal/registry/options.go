package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/util/resolver/config"
)

// Options configure a Client. The zero value talks to any registry with the
// credentials of the Docker config and keeps nothing on disk.
type Options struct {
	// Hosts says how to reach a registry or mirror, by the host that references
	// name it by: "docker.io", "registry.example:5000".
	Hosts map[string]Host
	// Else is how hosts are reached that Hosts does not name.
	Else Host
	// CacheDir keeps manifests and configs by digest. Empty means no cache.
	CacheDir string
	// Keychain finds credentials; nil means the Docker (or podman) config of the user.
	Keychain authn.Keychain
	// UserAgent is sent along, for example "archbuild/1.2".
	UserAgent string
	// Backoff is the pause before a failed request is first repeated; it triples
	// each time, give or take a half. Zero means 200 ms.
	Backoff time.Duration
	// Random gives numbers in [0, 1) for the pauses, from many goroutines; nil means math/rand.
	Random func() float64
	// Concurrency is how many requests a host gets at once and, apart from that,
	// how many blobs are read from it at once. Zero means 50.
	Concurrency int
	// Rate is how many requests a host gets in a second. Zero means any number.
	Rate float64
	// Chunk is how much of a blob is sent in one request; a blob that is no larger is
	// streamed in one, as docker does, which every registry takes. Zero means 64 MiB.
	Chunk int64
	// Stall is how long a transfer may stand still, or move less than MinRate, and
	// how long a question may wait for its answer. Zero means 30 s.
	Stall time.Duration
	// MinRate is how many bytes a second a transfer moves at least. Zero means 1024.
	MinRate int64
	// Dial makes connections; nil means the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// settings say how a host is reached.
func (o Options) settings(host string) Host {
	if known, ok := o.Hosts[host]; ok {
		return known
	}
	return o.Else
}

// Host says how one registry or mirror is reached.
type Host struct {
	// Mirrors are asked first, in order: "mirror.example", "https://mirror.example:5000/path".
	Mirrors []string
	// HTTP set to true means plain http, to false https; nil means plain http
	// for loopback addresses only.
	HTTP *bool
	// Insecure accepts any certificate of this host.
	Insecure bool
	// CAs are PEM files of certificate authorities to trust besides the system's.
	CAs []string
	// KeyPairs are client certificates.
	KeyPairs []KeyPair
	// TLSDirs hold NAME.crt (authorities) and NAME.cert with NAME.key (client certificates).
	TLSDirs []string
}

// KeyPair names the two PEM files of a client certificate.
type KeyPair struct{ Certificate, Key string }

// FromBuildkitd reads the [registry] tables of a buildkitd.toml.
func FromBuildkitd(tables map[string]config.RegistryConfig) map[string]Host {
	hosts := make(map[string]Host, len(tables))
	for name, table := range tables {
		host := Host{
			Mirrors:  table.Mirrors,
			HTTP:     table.PlainHTTP,
			Insecure: table.Insecure != nil && *table.Insecure,
			CAs:      table.RootCAs,
			TLSDirs:  table.TLSConfigDir,
		}
		for _, pair := range table.KeyPairs {
			host.KeyPairs = append(host.KeyPairs, KeyPair{Certificate: pair.Certificate, Key: pair.Key})
		}
		hosts[name] = host
	}
	return hosts
}

// plain tells whether the host at address speaks http.
func (h Host) plain(address string) bool {
	if h.HTTP != nil {
		return *h.HTTP
	}
	return loopback(address)
}

// loopback tells whether an address ("host" or "host:port") is this machine.
func loopback(address string) bool {
	name := hostname(address)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

func hostname(address string) string {
	u := url.URL{Host: address}
	return strings.ToLower(u.Hostname())
}

// mirror splits an entry of Mirrors into its host and the path below /v2/.
func mirror(text string) (host, path string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		u, err = url.Parse("//" + text)
	}
	if err != nil || u.Host == "" {
		return text, ""
	}
	return u.Host, strings.Trim(u.Path, "/")
}

// tlsConfig reads the certificates. It accepts any server only if Insecure.
func (h Host) tlsConfig() (*tls.Config, error) {
	cas, pairs := h.CAs, h.KeyPairs
	for _, dir := range h.TLSDirs {
		moreCAs, morePairs, err := certificates(dir)
		if err != nil {
			return nil, err
		}
		cas, pairs = append(cas, moreCAs...), append(pairs, morePairs...)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.Insecure}
	if err := trust(conf, cas); err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		cert, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			return nil, fmt.Errorf("reading client certificate: %w", err)
		}
		conf.Certificates = append(conf.Certificates, cert)
	}
	return conf, nil
}

// trust adds PEM files to the authorities of the system.
func trust(conf *tls.Config, files []string) error {
	if len(files) == 0 {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading registry ca: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("reading registry ca %s: no certificate in it", file)
		}
	}
	conf.RootCAs = pool
	return nil
}

// certificates lists what a TLS folder holds; one that is not there holds nothing.
func certificates(dir string) (cas []string, pairs []KeyPair, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("reading registry certificates: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch filepath.Ext(path) {
		case ".crt":
			cas = append(cas, path)
		case ".cert":
			pairs = append(pairs, KeyPair{Certificate: path, Key: strings.TrimSuffix(path, ".cert") + ".key"})
		}
	}
	return cas, pairs, nil
}
