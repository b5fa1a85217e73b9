//go:build !linux

package engine

import (
	"context"
	"net"
	"os"

	"github.com/archbuild/archbuild/detect"
)

// On a system that can run no engine there is none to be found, so what follows
// is never more than a way to say so.

// IsChild says that no process is an engine.
func IsChild([]string) bool { return false }

// Main is never called.
func Main([]string) int { return 1 }

func (l layout) spawn(ctx context.Context, _ Options, _ State) error {
	_, err := check(ctx)
	return err
}

func (l layout) start(context.Context, Options, detect.RootlessFacts, []string) ([]string, error) {
	return nil, &SystemError{}
}

func (l layout) childArgs(State) []string { return nil }

func (l layout) sweep() error { return nil }

func mayMount() bool { return false }

func peerUID(net.Conn) (int, error) { return os.Geteuid(), nil }

func killIf(int, func() bool) bool { return false }
