// Command program is a program with an engine, in versions that tests make: it
// finds its engine, prints what it found and holds it until its input ends.
//
//	program STATE PATIENCE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
)

// version is set by the linker.
var version string

func main() {
	if engine.IsChild(os.Args) {
		os.Exit(engine.Main(os.Args))
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(1)
	}
}

func run(state, patience string) error {
	wait, err := time.ParseDuration(patience)
	if err != nil {
		return err
	}
	h, err := engine.Ensure(context.Background(), engine.Options{State: state, Version: version, Patience: wait, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer h.Close()
	if err := json.NewEncoder(os.Stdout).Encode(h.State); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
