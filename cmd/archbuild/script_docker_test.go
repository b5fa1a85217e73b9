package main

import (
	"context"
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// dockerEngine starts a Docker engine and makes it the one of DOCKER_HOST.
func dockerEngine(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	engine, err := fixtures.StartDocker(context.Background(), fixtures.DockerStore(args[0]))
	if err != nil {
		return err
	}
	ts.Defer(engine.Close)
	ts.Setenv("DOCKER_HOST", engine.Host)
	return nil
}

// dockerCommand runs Debian's docker command.
func dockerCommand(ts *testscript.TestScript, args []string) error {
	program, err := fixtures.DockerClient(context.Background())
	if err != nil {
		return err
	}
	return ts.Exec(program, args...)
}

// configDigest prints the digest of an image's config.
func configDigest(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	img, err := fixtures.FindImage(ts.MkAbs(args[0]), args[1])
	if err != nil {
		return err
	}
	name, err := img.ConfigName()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(ts.Stdout(), name)
	return err
}
