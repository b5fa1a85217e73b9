package builder

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	// The connection helpers make their schemes known to the client.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer"
	_ "github.com/moby/buildkit/client/connhelper/ssh"
)

// Node is a BuildKit server.
type Node struct {
	// Name is how messages call it: "engine" or its address.
	Name   string
	Client *client.Client
	// Platforms as the server lists them; the first one is its own.
	Platforms []platform.Platform
	Version   string
	// Private says that nobody else looks at this server: its builds need no
	// record in its history.
	Private bool
	// Remote says that it is another machine, or may be: it is reached over a network.
	Remote bool
	// Passwords are the registries, host[:port], whose user and password the node may have though it is Remote.
	Passwords []string
	// Memory is the most that the server and its steps may take together, in
	// bytes; 0 where that is not known.
	Memory int64
}

// dialTimeout bounds how long a node may take to answer at all.
const dialTimeout = 10 * time.Second

// Dial connects to a BuildKit server by address, as BUILDKIT_HOST has it:
// unix:///run/buildkit/buildkitd.sock, tcp://host:1234, ssh://…,
// docker-container://NAME, podman-container://NAME, nerdctl-container://NAME, kube-pod://NAME.
func Dial(ctx context.Context, address string) (*Node, error) {
	return DialTLS(ctx, address, TLS{})
}

// TLS is how a server is recognized, and how it recognizes this side: files. The
// zero value uses none.
type TLS struct{ ServerName, CA, Certificate, Key string }

func (t TLS) options() []client.ClientOpt {
	var opts []client.ClientOpt
	if t.CA != "" || t.ServerName != "" {
		opts = append(opts, client.WithServerConfig(t.ServerName, t.CA))
	}
	if t.Certificate != "" || t.Key != "" {
		opts = append(opts, client.WithCredentials(t.Certificate, t.Key))
	}
	return opts
}

// DialTLS is like Dial, for a server that speaks TLS.
func DialTLS(ctx context.Context, address string, tls TLS) (*Node, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme == "" {
		return nil, &NodeError{Address: address, Err: fmt.Errorf("not an address")}
	}
	c, err := client.New(ctx, address, tls.options()...)
	if err != nil {
		return nil, &NodeError{Address: address, Err: err}
	}
	node, err := open(ctx, address, c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return node, nil
}

// open asks a connected server who it is.
func open(ctx context.Context, name string, c *client.Client) (*Node, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, fmt.Errorf("no answer within %s", dialTimeout))
	defer cancel()
	workers, err := c.ListWorkers(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, &NodeError{Address: name, Err: err}
	}
	if len(workers) == 0 || len(workers[0].Platforms) == 0 {
		return nil, &NodeError{Address: name, Err: fmt.Errorf("it offers no worker")}
	}
	node := &Node{Name: name, Client: c, Version: workers[0].BuildkitVersion.Version, Remote: !isHere(name, os.Getenv)}
	for _, p := range workers[0].Platforms {
		node.Platforms = append(node.Platforms, platform.FromOCI(p))
	}
	return node, nil
}

// isHere tells addresses of this machine: sockets, and containers of its own engines. What docker and podman call
// by a context's name may be anywhere.
func isHere(address string, getenv func(string) string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	own := func(variable string) bool {
		host := getenv(variable)
		return host == "" || strings.HasPrefix(host, "unix://")
	}
	switch u.Scheme {
	case "unix", "nerdctl-container":
		return true
	case "podman-container":
		return own("CONTAINER_HOST") && getenv("CONTAINER_CONNECTION") == ""
	case "docker-container":
		context := u.Query().Get("context")
		if context == "" && getenv("DOCKER_HOST") == "" {
			context = cmp.Or(getenv("DOCKER_CONTEXT"), config.LoadDefaultConfigFile(io.Discard).CurrentContext)
		}
		return (context == "" || context == "default") && own("DOCKER_HOST")
	case "tcp":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	return false
}

// NodeError says that a node does not answer as one.
type NodeError struct {
	Address string
	Err     error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %s: %v", e.Address, e.Err) }

// Unwrap gives the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// Hint says what an address looks like and how to do without one.
func (e *NodeError) Hint() string {
	return "give --node (or BUILDKIT_HOST) the address of a running BuildKit, such as unix:///run/buildkit/buildkitd.sock, or leave it out to use archbuild's own engine"
}
