package containers

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// NoEngineError says that there is neither Docker nor podman.
type NoEngineError struct {
	// Address where Docker was looked for.
	Address string
	Err     error
}

func (e *NoEngineError) Error() string {
	return fmt.Sprintf("there is no container engine to load into: nothing answers at %s, and podman is not on PATH", e.Address)
}

// Unwrap gives the cause.
func (e *NoEngineError) Unwrap() error { return e.Err }

// Hint is the one thing to do next.
func (e *NoEngineError) Hint() string {
	return "start Docker (sudo systemctl start docker, or Docker Desktop), or write a file instead: -o type=docker,dest=FILE"
}

// UnreachableError says that an engine could not be talked to.
type UnreachableError struct {
	// Engine is Docker or Podman, From what its address was taken from: $DOCKER_HOST.
	Engine, Address, From string
	Err                   error
}

func (e *UnreachableError) Error() string {
	at := ""
	if e.Address != "" {
		at = " at " + e.Address
	}
	if e.From != "" {
		at += " (from " + e.From + ")"
	}
	return fmt.Sprintf("%s%s cannot be reached: %v", e.Engine, at, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint goes by the cause.
func (e *UnreachableError) Hint() string {
	switch {
	case e.Engine == podmanName:
		return "run `podman info` and do what it asks for, or write a file instead: -o type=docker,dest=FILE"
	case errors.Is(e.Err, fs.ErrPermission):
		return "join the group docker (sudo usermod -aG docker $USER) and log in again, or write a file instead: -o type=docker,dest=FILE"
	case strings.HasPrefix(e.Address, "ssh:"):
		return "see whether `ssh HOST docker info` works"
	case e.From != "":
		return "start that engine, or set DOCKER_HOST to one that runs"
	}
	return "see whether `docker info` works"
}

// refused: nobody listens there.
func (e *UnreachableError) refused() bool {
	return errors.Is(e.Err, syscall.ECONNREFUSED) || errors.Is(e.Err, fs.ErrNotExist)
}

// AddressError says that the address of an engine makes no sense, or the context
// that should hold it does not exist.
type AddressError struct{ From, Problem, Help string }

func (e *AddressError) Error() string { return e.From + ": " + e.Problem }

// Hint is the one thing to do next.
func (e *AddressError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *AddressError) ExitStatus() int { return 2 }

// ConfigError is a file of the docker command that cannot be read.
type ConfigError struct {
	File string
	Err  error
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("reading Docker's configuration %s: %v", e.File, e.Err)
}

// Unwrap gives the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Hint is the one thing to do next.
func (e *ConfigError) Hint() string {
	return "repair or remove that file; `docker context use default` writes it anew"
}

// LoadError is an image that the engine did not take.
type LoadError struct {
	// Engine by name and version.
	Engine string
	// Problem is what it said, or what it did.
	Problem string
	Err     error
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("loading into %s: %s", e.Engine, e.Problem)
}

// Unwrap gives the cause, if it is more than the engine's word.
func (e *LoadError) Unwrap() error { return e.Err }

// Hint is the way round the engine.
func (e *LoadError) Hint() string {
	return "look into the engine's log, or write a file and try that: -o type=docker,dest=FILE"
}

// CompressionError says that an engine cannot read the layers of an image.
type CompressionError struct{ Engine string }

func (e *CompressionError) Error() string {
	return e.Engine + " cannot read layers in zstd"
}

// Hint has them in a form that every engine reads.
func (e *CompressionError) Hint() string {
	return "write -o type=docker,compression=gzip,force-compression=true, or load into Docker 23 or newer"
}
