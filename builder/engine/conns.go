//go:build linux

package engine

import (
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// conns counts the open connections of a listener.
type conns struct {
	net.Listener

	mu   sync.Mutex
	open int
	// used says that those connected want more than to look.
	used bool
	// quiet is since when nobody has been connected who wanted more.
	quiet time.Time
}

func newConns(l net.Listener) *conns {
	return &conns{Listener: l, quiet: time.Now()}
}

// Accept waits for a connection of this user and counts it until it is closed.
// Those of others are closed before they are heard.
func (c *conns) Accept() (net.Conn, error) {
	conn, err := c.acceptOwn()
	if err != nil {
		return nil, err
	}
	c.add(1)
	return &counted{Conn: conn, gone: sync.OnceFunc(func() { c.add(-1) })}, nil
}

func (c *conns) acceptOwn() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		refused := checkPeer(conn, c.Addr().String())
		if refused == nil {
			return conn, nil
		}
		logrus.Warnf("engine: refused a connection: %v", refused)
		conn.Close()
	}
}

func (c *conns) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
	if c.used {
		c.quiet = time.Now()
	}
	c.used = c.used && c.open > 0
}

// use says that somebody connected is at work. Who only looks at the state, as
// a monitor does, must not keep the engine alive.
func (c *conns) use() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = true
}

// count is the number of open connections.
func (c *conns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// left is how much of the idle time is left: all of it while somebody is
// connected, nothing when it is over.
func (c *conns) left(idle time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open > 0 {
		return idle
	}
	return idle - time.Since(c.quiet)
}

// counted is a connection that says when it is closed.
type counted struct {
	net.Conn
	gone func()
}

func (c *counted) Close() error {
	defer c.gone()
	return c.Conn.Close()
}
