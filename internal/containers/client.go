package containers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/cli/cli/connhelper"
)

const (
	// answering is how long an engine has for a question that is not about content.
	answering = 15 * time.Second
	// maxAnswer bounds such an answer, in bytes.
	maxAnswer = 8 << 20
)

// client speaks HTTP with a Docker engine.
type client struct {
	endpoint
	http *http.Client
	base string
}

// newClient does not connect yet.
func newClient(at endpoint) (*client, error) {
	u, err := url.Parse(at.address)
	if err != nil {
		return nil, at.wrong("is no URL")
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 2}
	c := &client{endpoint: at, http: &http.Client{Transport: transport}, base: "http://docker"}
	switch u.Scheme {
	case "unix":
		path := filepath.Join(u.Host, u.Path) // unix:///var/run, and unix://run for a relative one
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	case "ssh":
		helper, err := connhelper.GetConnectionHelper(at.address)
		if err != nil {
			return nil, at.wrong(err.Error())
		}
		transport.DialContext = helper.Dialer
	case "tcp", "http", "https":
		if u.Host == "" || u.Path != "" && u.Path != "/" {
			return nil, at.wrong("is not of the form tcp://HOST:PORT")
		}
		err := c.overTCP(u, transport)
		return c, err
	default:
		return nil, at.wrong(fmt.Sprintf("archbuild does not speak %s://", u.Scheme))
	}
	return c, nil
}

// overTCP fills in Docker's port, and TLS where there are certificates.
func (c *client) overTCP(u *url.URL, transport *http.Transport) error {
	scheme, port := "http", "2375"
	if c.certs != "" || u.Scheme == "https" {
		scheme, port = "https", "2376"
		config, err := c.tls()
		if err != nil {
			return &AddressError{c.from, err.Error(), "give the folder with ca.pem, cert.pem and key.pem: DOCKER_CERT_PATH"}
		}
		transport.TLSClientConfig = config
	}
	if u.Port() == "" && u.Scheme == "tcp" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	c.base = scheme + "://" + u.Host
	transport.Proxy = http.ProxyFromEnvironment
	return nil
}

// tls reads the certificates. Each of them may be missing.
func (e endpoint) tls() (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: e.unverified} //nolint:gosec // The user's own setting of that engine.
	if e.certs == "" {
		return config, nil
	}
	ca, err := os.ReadFile(filepath.Join(e.certs, "ca.pem"))
	if err == nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("ca.pem holds no certificate")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(e.certs, "cert.pem"), filepath.Join(e.certs, "key.pem"))
	if err == nil {
		config.Certificates = []tls.Certificate{pair}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the client certificate: %w", err)
	}
	return config, nil
}

func (e endpoint) wrong(problem string) error {
	return &AddressError{e.from, e.address + ": " + problem, "write unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"}
}

// get asks for a JSON document.
func (c *client) get(ctx context.Context, path string, value any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(value); err != nil {
		return nil, fmt.Errorf("reading the answer to %s: %w", path, err)
	}
	return resp.Header, nil
}

// do sends a request; the caller closes the answer, which is none of failure.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err // It would say the URL, which is made up.
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// statusError is an answer that is a refusal, in the engine's words.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var body struct{ Message string }
	if json.Unmarshal(text, &body) != nil || body.Message == "" {
		body.Message = strings.TrimSpace(resp.Status + " " + string(text))
	}
	return &statusError{resp.StatusCode, body.Message}
}
