//go:build linux

package engine

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
)

// server is a running engine.
type server struct {
	childOptions
	conns *conns
	grpc  *grpc.Server
	state State
	// memory is the limit for this engine and its steps.
	memory *memory
	// end is closed when the engine is to end.
	end     chan struct{}
	endOnce sync.Once

	mu       sync.Mutex
	idle     time.Duration
	retiring bool
}

// run opens BuildKit's data, serves until the engine is to end and leaves the
// place swept. The notes are for the client that waits. The caller holds the
// state lock.
func (c childOptions) run(cfg Config, hash string, notes []string, say *os.File) error {
	s := &server{childOptions: c, idle: c.idle, end: make(chan struct{}), memory: newMemory(c, cfg)}
	if err := s.announce(hash); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	bk, err := newBuildkit(c, cfg, s.memory, s.end)
	if err != nil {
		return err
	}
	if err := c.make(); err != nil {
		return err
	}
	listener, err := listen(c.socket)
	if err != nil {
		return err
	}
	s.conns = newConns(listener)
	s.grpc = s.newGRPC()
	bk.register(s.grpc)
	go func() { _ = s.grpc.Serve(s.conns) }() // ends when the listener is closed
	go s.watchIdle()
	tell(say, ready{OK: true, Notes: append(notes, bk.store.notes()...)})
	select {
	case sig := <-signals:
		logrus.Infof("engine: %s", sig)
	case <-s.end:
	}
	s.retire()
	s.drain()
	if err := bk.close(); err != nil {
		logrus.Warnf("engine: closing: %v", err)
	}
	logrus.Infof("engine: ended")
	s.memory.leave()
	return c.sweep()
}

// listen opens the socket for this user alone. The caller holds the state lock,
// so a socket file that is there is a dead engine's.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("removing a stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the engine's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("closing the engine's socket to others: %w", err)
	}
	return l, nil
}

// announce writes engine.json, before there is a socket: an engine that hangs
// while it starts can still be found and ended.
func (s *server) announce(hash string) error {
	now := time.Now().UTC().Truncate(time.Second)
	start, err := startTime(os.Getpid())
	if err != nil {
		return fmt.Errorf("reading the engine's own start time: %w", err)
	}
	s.state = State{
		Running: true, PID: s.pid, Socket: s.socket, Root: s.root, Log: s.log,
		Version: s.version, Protocol: protocol, BuildKit: BuildKit,
		ConfigHash: hash, Config: s.config, Runc: s.runc, Since: &now, Idle: s.idle.String(),
		Rootless: s.kept, Emulators: s.emulators,
	}
	return s.writeRecord(record{State: s.state, StartTime: start, Keeper: s.keeper, KeeperStart: s.keeperStart})
}

// hear handles a client's words and gives the state for the answer. The client
// itself is not counted among the connections.
func (s *server) hear(said words) State {
	s.mu.Lock()
	if d, err := time.ParseDuration(said.idle); err == nil && d > 0 {
		s.idle = d
	}
	state := s.state
	state.Idle = s.idle.String()
	s.mu.Unlock()
	state.Connections = max(0, s.conns.count()-1)
	state.Memory, state.MemoryNote = s.memory.hear(said.memory, state.Connections)
	if said.retire == retireNow || said.retire == retireAlone && state.Connections == 0 {
		s.retire()
		// The answer goes out before the connection does.
		time.AfterFunc(20*time.Millisecond, s.stop)
	}
	s.mu.Lock()
	state.Running = !s.retiring
	s.mu.Unlock()
	return state
}

// retire takes the engine out of sight: no socket, no record, no new client.
func (s *server) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retiring {
		return
	}
	s.retiring = true
	s.conns.Listener.Close()
	s.hide()
}

func (s *server) stop() { s.endOnce.Do(func() { close(s.end) }) }

// drain ends what runs and waits for it, within limits.
func (s *server) drain() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.Stop()
	}()
	select {
	case <-done:
	case <-time.After(drainTimeout):
		logrus.Warnf("engine: builds did not end within %s", drainTimeout)
	}
}

// watchIdle ends the engine when nobody has been connected for the idle time. It
// looks again under the gate, which every client holds while it connects.
func (s *server) watchIdle() {
	for {
		s.mu.Lock()
		idle := s.idle
		s.mu.Unlock()
		if left := s.conns.left(idle); left > 0 {
			// Looking now and then, for a client may shorten the time.
			time.Sleep(min(left, time.Second))
			continue
		}
		if s.retireIdle(idle) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) retireIdle(idle time.Duration) bool {
	gate, err := tryLock(s.gate)
	if err != nil {
		// Without its state folder nobody can find this engine any more.
		return os.IsNotExist(err) && s.retireLost()
	}
	defer gate.Close()
	if s.conns.left(idle) > 0 {
		return false
	}
	logrus.Infof("engine: idle for %s", idle)
	s.retire()
	s.stop()
	return true
}

func (s *server) retireLost() bool {
	s.retire()
	s.stop()
	return true
}

// newGRPC makes the gRPC server. Its Stop waits for the calls that it ends, and
// so for the containers of their builds.
func (s *server) newGRPC() *grpc.Server {
	return grpc.NewServer(append(buildkitOptions(),
		grpc.ChainUnaryInterceptor(answer(s.hear, s.conns.use)),
		grpc.ChainStreamInterceptor(usedByStreams(s.conns.use)),
		grpc.WaitForHandlers(true))...)
}
