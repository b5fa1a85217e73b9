// Command archbuild builds one multi-platform image from a Dockerfile that was
// written for one architecture. See README.md and `archbuild --help`.
package main

import (
	"context"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"syscall"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/detect/kernel"
	"github.com/containerd/log"
)

func main() {
	// The private BuildKit server is this same program, started by itself.
	if engine.IsChild(os.Args) {
		os.Exit(engine.Main(os.Args))
	}
	// So is the process that tries what the kernel can do.
	if kernel.IsChild(os.Args) {
		os.Exit(kernel.Main())
	}
	// Libraries log as they please; what a user should know, archbuild says.
	if err := log.SetLevel("panic"); err != nil {
		panic(err) // the level is a constant
	}
	stdlog.SetOutput(io.Discard)
	limitMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
