package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
)

// errNotRunning says that nobody listens on the socket.
var errNotRunning = errors.New("no engine is running")

// dial connects a BuildKit client to a socket. It dials by itself and hands the
// connection over: gRPC would wait a second after a refused one, and there would
// be no telling "refused" from "slow".
func dial(ctx context.Context, socket string) (*client.Client, error) {
	conn, err := dialOwn(ctx, socket)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	var dialed atomic.Pointer[net.Conn]
	dialed.Store(&conn)
	c, err := client.New(ctx, "passthrough:///archbuild-engine",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if first := dialed.Swap(nil); first != nil {
				return *first, nil
			}
			return dialOwn(ctx, socket)
		}),
		// The open connection is what keeps the engine from ending.
		client.WithGRPCDialOption(grpc.WithIdleTimeout(0)))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	return c, nil
}

// dialOwn connects to a socket that this user listens on, and to no other.
func dialOwn(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn, socket); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
