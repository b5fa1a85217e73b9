package nodes_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// order is what a step is to do: at once, after some time, or when a channel is closed.
type order struct {
	word  string // see the comment of step; empty is done
	after time.Duration
	when  <-chan struct{}
}

// scene is one step that ran, or runs.
type scene struct {
	Step, Arch, Node string
	// Try counts the same step for the same architecture, from 0.
	Try        int
	Begin, End time.Time // End is zero while it runs
	// Told is the order that it got; empty when it ended without one.
	Told string
}

// director tells steps what to do and writes down what they did.
type director struct {
	// addr is where steps ask.
	addr  string
	nodes []*fixtures.Node

	mu     sync.Mutex
	scenes []*scene
	tells  func(scene) order
}

func newDirector(t testing.TB) *director {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &director{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(c)
		}
	}()
	return d
}

// directs forgets what was, and lets this function tell from now on what is to be done. It is called when a step begins, one at a time
// for no lock; nil lets all steps succeed at once.
func (d *director) directs(tells func(scene) order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scenes, d.tells = nil, tells
}

// serve is one step from its begin to its end.
func (d *director) serve(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	words := strings.SplitN(strings.TrimSpace(line), " ", 3)
	if err != nil || len(words) != 3 {
		return
	}
	s, tells := d.enter(words[0], words[1], words[2])
	var o order
	if tells != nil {
		o = tells(*s)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.Read(make([]byte, 1)) // It says no more: this is its end.
		d.mu.Lock()
		defer d.mu.Unlock()
		s.End = time.Now()
	}()
	if o.when == nil {
		ready := make(chan struct{})
		time.AfterFunc(o.after, func() { close(ready) })
		o.when = ready
	}
	select {
	case <-gone:
		return
	case <-o.when:
	}
	if o.word == "" {
		o.word = "done"
	}
	d.mu.Lock()
	s.Told = o.word
	d.mu.Unlock()
	_, _ = fmt.Fprintln(c, o.word)
	<-gone
}

func (d *director) enter(step, arch, mount string) (*scene, func(scene) order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &scene{Step: step, Arch: arch, Begin: time.Now(), Node: mount}
	for _, n := range d.nodes {
		if n.Owns(mount) {
			s.Node = n.Name
		}
	}
	for _, other := range d.scenes {
		if other.Step == step && other.Arch == arch {
			s.Try++
		}
	}
	d.scenes = append(d.scenes, s)
	return s, d.tells
}

// played are all scenes so far, in the order of their beginning.
func (d *director) played() []scene {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []scene
	for _, s := range d.scenes {
		out = append(out, *s)
	}
	return out
}
