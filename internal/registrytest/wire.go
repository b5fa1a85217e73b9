package registrytest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Wire is a network inside the test process: connections are pipes, so that a whole push fits into a bubble of testing/synctest,
// where a pause of minutes takes no time and nothing happens at the same time by chance. The zero value is ready.
type Wire struct {
	mu    sync.Mutex
	ports map[string]*wireListener
}

// Dial connects to a host:port that somebody listens at, as [net.Dialer] does.
func (w *Wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	l := w.ports[address]
	w.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	cut, near, far := &atomic.Bool{}, wireAddr("127.0.0.1:1"), wireAddr(address)
	a, b := net.Pipe()
	select {
	case l.waiting <- &wireConn{Conn: b, cut: cut, here: far, there: near}:
		return &wireConn{Conn: a, cut: cut, here: near, there: far}, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
}

// serve answers at the next free port of a host until the test ends.
func (w *Wire) serve(t testing.TB, host string, handler http.HandlerFunc) (addr string) {
	w.mu.Lock()
	if w.ports == nil {
		w.ports = map[string]*wireListener{}
	}
	addr = net.JoinHostPort(host, strconv.Itoa(5000+len(w.ports)))
	l := &wireListener{addr: wireAddr(addr), waiting: make(chan net.Conn), closed: make(chan struct{})}
	w.ports[addr] = l
	w.mu.Unlock()
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return addr
}

type wireListener struct {
	addr    wireAddr
	waiting chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *wireListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.waiting:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *wireListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *wireListener) Addr() net.Addr { return l.addr }

type wireAddr string

func (wireAddr) Network() string  { return "tcp" }
func (a wireAddr) String() string { return string(a) }

// wireConn is one end of a connection.
type wireConn struct {
	net.Conn
	cut         *atomic.Bool // by one of the two, hard
	here, there wireAddr
}

func (c *wireConn) LocalAddr() net.Addr  { return c.here }
func (c *wireConn) RemoteAddr() net.Addr { return c.there }

// SetLinger makes the closing that follows a reset, as that of a TCP connection does.
func (c *wireConn) SetLinger(int) error {
	c.cut.Store(true)
	return nil
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.told("read", err)
}

func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.told("write", err)
}

func (c *wireConn) told(op string, err error) error {
	if err == nil || !c.cut.Load() {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNRESET}
}
