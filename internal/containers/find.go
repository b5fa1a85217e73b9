package containers

import (
	"context"
	"errors"
	"os/exec"
)

// Find finds the engine and asks what it is; see the package comment for the order.
// There is none: *NoEngineError. It is there and does not answer:
// *UnreachableError. It was named in a way that makes no sense: *AddressError.
func Find(ctx context.Context, o Options) (*Engine, error) {
	at, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	engine, err := askDocker(ctx, at)
	missing := (*UnreachableError)(nil)
	if !errors.As(err, &missing) || at.from != "" || !missing.refused() {
		return engine, err
	}
	engine, err = askPodman(ctx, o.Environ)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, &NoEngineError{at.address, missing}
	}
	return engine, err
}
