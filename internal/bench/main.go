// Command bench measures archbuild against its peers, buildx and buildctl, on
// the same BuildKit, in one run. Every command line is printed. Machines are
// noisy, so runs are interleaved and medians and ratios are what counts.
//
// The BuildKit is archbuild's own engine: the peers connect to its socket.
//
// With the word cross it measures what building stages on the build platform gains: see crossBench. With the word nodes it
// measures builds on two servers: see nodesBench. With the word services it measures a project of many images: see
// servicesBench. With the word lint it measures archbuild lint: see lintMain.
//
// What registries are asked for is measured by the benchmarks of this package:
// putting an index together, against buildx and crane, and copying 10 GB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/archbuild/archbuild/internal/fixtures"
)

func main() {
	runs := flag.Int("n", 15, "counted runs of each command")
	archbuild := flag.String("archbuild", "bin/archbuild", "the archbuild to measure")
	buildx := flag.String("buildx", "bin/buildx", "docker buildx v0.37.2")
	buildctl := flag.String("buildctl", "bin/buildctl", "buildctl v0.33.1")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	switch flag.Arg(0) {
	case "cross":
		err = crossMain(ctx, flag.Args()[1:])
	case "nodes":
		err = nodesMain(ctx, flag.Args()[1:])
	case "services":
		err = servicesMain(ctx, flag.Args()[1:])
	case "lint":
		err = lintMain(ctx, flag.Args()[1:])
	default:
		err = bench(ctx, *runs, *archbuild, *buildx, *buildctl)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, runs int, programs ...string) error {
	for i, program := range programs {
		absolute, err := filepath.Abs(program)
		if err != nil {
			return err
		}
		programs[i] = absolute
	}
	hub, err := fixtures.Start(ctx)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, hub, programs[0], programs[1], programs[2])
	if err != nil {
		return err
	}
	defer w.close()
	return errors.Join(w.cached(ctx, runs), w.version(ctx, runs), w.memory(ctx))
}

// cached is the everyday run: nothing changed, two platforms, one OCI archive.
func (w *world) cached(ctx context.Context, runs int) error {
	dir, err := w.project("small", smallDockerfile, 1)
	if err != nil {
		return err
	}
	out := func(name string) string { return filepath.Join(w.dir, name+".tar") }
	const platforms = "linux/amd64,linux/arm64"
	rows := []*command{
		{name: "archbuild", env: w.env, args: []string{w.archbuild, dir, "--no-resume", "--platform", platforms, "-o", "type=oci,dest=" + out("archbuild"), "--progress", "quiet"}},
		{name: "buildx", env: w.env, args: []string{w.buildx, "build", "--builder", "bench", "--provenance=false", dir, "--platform", platforms, "-o", "type=oci,dest=" + out("buildx"), "--progress", "quiet"}},
		{name: "buildctl", env: w.env, args: []string{w.buildctl, "--addr", w.address, "build", "--frontend", "dockerfile.v0", "--local", "context=" + dir, "--local", "dockerfile=" + dir,
			"--opt", "platform=" + platforms, "--output", "type=oci,dest=" + out("buildctl"), "--progress", "quiet"}},
	}
	fmt.Printf("everything cached, two platforms, OCI archive, %d interleaved runs\n", runs)
	if err := interleave(ctx, runs, rows); err != nil {
		return err
	}
	for _, row := range rows {
		info, err := os.Stat(out(row.name))
		if err != nil {
			return err
		}
		fmt.Printf("  %-10s archive of %d bytes\n", row.name, info.Size())
	}
	ratio(rows[0], rows[1], 1.0)
	ratio(rows[0], rows[2], 1.6)
	return nil
}

// version is what a shell prompt or a script calls.
func (w *world) version(ctx context.Context, runs int) error {
	row := &command{name: "version", env: w.env, args: []string{w.archbuild, "version"}}
	fmt.Printf("archbuild version, %d runs, to be at most 30 ms\n", runs)
	return interleave(ctx, runs, []*command{row})
}

// memory is the client's, with a context of many files.
func (w *world) memory(ctx context.Context) error {
	dir, err := w.project("many", manyDockerfile, 20000)
	if err != nil {
		return err
	}
	row := &command{name: "20,000 files", env: w.env, args: []string{w.archbuild, dir, "--no-resume", "--platform", "linux/amd64,linux/arm64", "-o", "type=oci,dest=" + filepath.Join(w.dir, "many.tar"), "--progress", "quiet"}}
	fmt.Println("client memory with a context of 20,000 files, first run and one more, to be at most 64 MB")
	return interleave(ctx, 1, []*command{row})
}
