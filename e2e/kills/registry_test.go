package kills_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// registry is one that can be killed and comes back at the same address with the same data.
type registry struct {
	program, config string
	// Addr is host:port.
	addr string

	mu    sync.Mutex // one starts or kills it at a time
	alive *exec.Cmd
	ended chan struct{}

	ear  sync.Mutex
	hear func(line string)
}

const registryYAML = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: %q}
`

func newRegistry(t *testing.T, program, dir, addr string) *registry {
	t.Helper()
	r := &registry{program: program, config: filepath.Join(dir, "registry.yml"), addr: addr}
	if err := os.WriteFile(r.config, fmt.Appendf(nil, registryYAML, filepath.Join(dir, "storage"), r.addr), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// freeAddrs are some below those that the kernel gives out, so that each is still free when its registry comes back.
func freeAddrs(t *testing.T, count int) (list []string) {
	t.Helper()
	for port := 20000 + os.Getpid()%10000; port < 32000 && len(list) < count; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			list = append(list, addr)
		}
	}
	if len(list) < count {
		t.Fatalf("only the addresses %q are free", list)
	}
	return list
}

// start starts it, unless it runs, and waits until it answers.
func (r *registry) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive != nil {
		return nil
	}
	cmd := exec.Command(r.program, "serve", r.config)
	// It does not outlive the test, whatever ends that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began, ended := make(chan error), make(chan struct{})
	go func() {
		// The signal is sent when this thread ends.
		runtime.LockOSThread()
		err := cmd.Start()
		began <- err
		if err != nil {
			return
		}
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			r.heard(lines.Text())
		}
		_ = cmd.Wait()
	}()
	if err := <-began; err != nil {
		return err
	}
	r.alive, r.ended = cmd, ended
	return r.answers()
}

func (r *registry) heard(line string) {
	r.ear.Lock()
	hear := r.hear
	r.ear.Unlock()
	if hear != nil {
		hear(line)
	}
}

// listen has a function called with every line of the log.
func (r *registry) listen(hear func(line string)) {
	r.ear.Lock()
	defer r.ear.Unlock()
	r.hear = hear
}

func (r *registry) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr+"/v2/", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			return answer.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the registry does not answer: %w", err)
		case <-r.ended:
			return errors.New("the registry has ended by itself")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// kill kills it, and says when it is gone.
func (r *registry) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive == nil {
		return
	}
	_ = r.alive.Process.Signal(syscall.SIGKILL)
	<-r.ended
	r.alive = nil
}
