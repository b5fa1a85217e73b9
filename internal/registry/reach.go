package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxRedirects is how many redirects are followed in a row.
const maxRedirects = 10

// metadata are addresses at which clouds hand credentials to whoever can reach
// them, besides the link-local ones: EC2 over IPv6, Alibaba, Azure, Oracle.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
}

var (
	// nat64 and compatible hold IPv4 addresses in their last four bytes, sixToFour in the four after its prefix.
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	compatible = netip.MustParsePrefix("::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	// reserved are networks that the internet does not route, by IANA's registries of special-purpose addresses, beside those
	// that netip knows: this network, providers' and overlay networks (RFC 6598), protocol assignments, benchmarks, the future; local
	// NAT64, what once was site-local.
	reserved = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("fec0::/10"),
	}
)

// forbidden is a connection to a place where a registry has no business to lead us.
type forbidden struct {
	host string
	addr netip.Addr
	why  string
}

func (f *forbidden) Error() string {
	return fmt.Sprintf("it leads to %s (%s), %s; this is not followed", clean(errors.New(f.host)), f.addr, f.why)
}

// Hint is the one thing to do.
func (f *forbidden) Hint() string {
	return fmt.Sprintf("if %s belongs to this registry, name it in buildkitd.toml: [registry.%q]", f.host, f.host)
}

// reach decides where connections may go that a registry asks for: redirects,
// token servers, places to upload to. The addresses are looked at after the
// names were resolved. Nothing leads to link-local and metadata addresses, to
// private networks only a registry that lies in one or here, to this machine only one
// that does so too. A registry that was elsewhere first is not followed there under its own name either (DNS
// rebinding). Where one lies that is reached through a proxy nobody knows: it is a public one.
// Hosts that the configuration names, and proxies, are the user's own choice.
type reach struct {
	own     string // the registry, with or without port
	trusted map[string]Host
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	proxies map[string]bool
	// known says that a connection to the registry itself was made, far the farthest place that one went to.
	known bool
	far   distance
}

// distance is how far an address is from this machine.
type distance int

const (
	here    distance = iota // this machine
	near                    // private networks
	outside                 // all else
)

// proxy is http.ProxyFromEnvironment, and remembers what it says.
func (r *reach) proxy(req *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	if err == nil && proxy != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.proxies == nil {
			r.proxies = map[string]bool{}
		}
		r.proxies[withPort(proxy.Host, proxy.Scheme)] = true
	}
	return proxy, err
}

// connect dials an address, for http.Transport.
func (r *reach) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if same(r.own, address) {
		var check func(netip.Addr) error
		if !r.free(address) {
			check = func(addr netip.Addr) error { return r.checkOwn(address, addr) }
		}
		conn, err := r.open(ctx, network, address, check)
		if err == nil {
			r.note(peer(conn))
		}
		return conn, err
	}
	if r.free(address) {
		return r.open(ctx, network, address, nil)
	}
	return r.open(ctx, network, address, func(addr netip.Addr) error { return r.check(address, addr) })
}

// open dials; check looks at the address before the first packet, or, with a
// dialer of the caller's, before the first byte.
func (r *reach) open(ctx context.Context, network, address string, check func(netip.Addr) error) (net.Conn, error) {
	if r.dial == nil {
		dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
		if check != nil {
			dialer.Control = func(_, address string, _ syscall.RawConn) error { return check(parseAddr(address)) }
		}
		return dialer.DialContext(ctx, network, address)
	}
	conn, err := r.dial(ctx, network, address)
	if err != nil || check == nil {
		return conn, err
	}
	if err := check(peer(conn)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// free tells whether an address is the user's own choice.
func (r *reach) free(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies[strings.ToLower(address)] {
		return true
	}
	for host := range r.trusted {
		if same(host, address) {
			return true
		}
	}
	return false
}

// note remembers where the registry itself lies.
func (r *reach) note(addr netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.far = true, max(r.far, away(addr))
}

// checkOwn is for the registry's own name. It can lie anywhere, for it was the user who named it, and has to stay as
// far as it was.
func (r *reach) checkOwn(host string, addr netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known && addr.IsValid() && away(addr) < r.far {
		return &forbidden{host, addr, "nearer than where this name led before"}
	}
	return nil
}

func (r *reach) check(host string, addr netip.Addr) error {
	r.mu.Lock()
	far := outside
	if r.known {
		far = r.far
	}
	r.mu.Unlock()
	switch {
	case !addr.IsValid():
		return nil // A socket that is no IP address: the caller's dialer knows.
	case linkLocal(addr):
		return &forbidden{host, addr, "a link-local or metadata address"}
	case away(addr) < far && far == outside:
		return &forbidden{host, addr, "a private address, while the registry is a public one"}
	case away(addr) < far:
		return &forbidden{host, addr, "this machine, while the registry is another one"}
	}
	return nil
}

// away is how far an address is. What is no IP address is taken to be far.
func away(addr netip.Addr) distance {
	switch {
	case addr.IsLoopback() || addr.IsUnspecified():
		return here
	case addr.IsPrivate() || linkLocal(addr) || slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return near
	}
	return outside
}

// linkLocal tells whether an address is never right.
func linkLocal(addr netip.Addr) bool {
	for _, known := range metadata {
		if addr == known {
			return true
		}
	}
	return addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func peer(conn net.Conn) netip.Addr {
	if conn.RemoteAddr() == nil {
		return netip.Addr{}
	}
	return parseAddr(conn.RemoteAddr().String())
}

// parseAddr reads the address of "ip:port", as the IPv4 one it stands for, if any.
func parseAddr(text string) netip.Addr {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	bytes := addr.As16()
	switch {
	case addr.Is4(), addr == netip.IPv6Unspecified(), addr == netip.IPv6Loopback():
	case nat64.Contains(addr), compatible.Contains(addr):
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	case sixToFour.Contains(addr):
		addr = netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	return addr
}

// same tells whether a host, perhaps without port, is at an address. Both may be written in capitals.
func same(host, address string) bool {
	address = strings.ToLower(address)
	return withPort(host, "https") == address || withPort(host, "http") == address
}

// withPort gives host:port, with the port of the scheme if there is none.
func withPort(host, scheme string) string {
	u := url.URL{Host: host}
	port := u.Port()
	if port == "" {
		port = "443"
		switch scheme {
		case "http":
			port = "80"
		case "socks5", "socks5h":
			port = "1080"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// follow is the redirect policy of every client here. Where a redirect leads is
// for reach to judge, and who gets credentials for the layer that adds them; the
// address we come from is nobody's business: it may hold the state of an upload.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	req.Header.Del("Referer")
	return nil
}
