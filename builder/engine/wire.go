package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// A client and its engine have a few words of their own besides BuildKit's. They
// travel as metadata of BuildKit's Info call, which every client makes first, so
// they cost no second connection and no second call.
const (
	// keyIdle tells the engine how long to stay without a client.
	keyIdle = "archbuild-idle"
	// keyRetire tells the engine to end: retireAlone or retireNow.
	keyRetire = "archbuild-retire"
	// keyMemory tells the engine how much memory it and its steps may take, in bytes.
	keyMemory = "archbuild-memory"
	// keyState carries the engine's State back, as JSON.
	keyState = "archbuild-state-bin"

	// retireAlone ends the engine if nobody else is connected.
	retireAlone = "alone"
	// retireNow ends the engine and the builds on it.
	retireNow = "now"
)

// answerTimeout is how long a client waits for the engine's Info.
const answerTimeout = 10 * time.Second

// greetTimeout is how long a run waits that still holds the gate.
const greetTimeout = 3 * time.Second

// errNotOurs says that what listens on the socket is no engine of archbuild.
var errNotOurs = errors.New("the server on the socket is not archbuild's engine")

// ask makes the Info call, with the words given as pairs.
func ask(ctx context.Context, c *client.Client, pairs ...string) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	var header metadata.MD
	if _, err := c.ControlClient().Info(ctx, &controlapi.InfoRequest{}, grpc.Header(&header)); err != nil {
		return State{}, err
	}
	values := header.Get(keyState)
	if len(values) != 1 {
		return State{}, errNotOurs
	}
	var s State
	if err := json.Unmarshal([]byte(values[0]), &s); err != nil {
		return State{}, fmt.Errorf("%w: %w", errNotOurs, err)
	}
	return s, nil
}

// words are what a client has said; what it has not is empty.
type words struct{ idle, retire, memory string }

// answer is the engine's side of ask, as an interceptor around BuildKit's Info.
// The engine's own words are handled by hear, which gives the state to send. Any
// other call, and an Info that says how long to stay, is use of the engine.
func answer(hear func(words) State, use func()) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if info.FullMethod != controlapi.Control_Info_FullMethodName {
			use()
			return handler(ctx, req)
		}
		md, _ := metadata.FromIncomingContext(ctx)
		said := words{idle: first(md.Get(keyIdle)), retire: first(md.Get(keyRetire)), memory: first(md.Get(keyMemory))}
		if said.idle != "" {
			use()
		}
		data, err := json.Marshal(hear(said))
		if err != nil {
			return nil, err
		}
		if err := grpc.SetHeader(ctx, metadata.Pairs(keyState, string(data))); err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// usedByStreams is answer's counterpart for the calls that are streams.
func usedByStreams(use func()) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		use()
		return handler(srv, stream)
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
