package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// crossBench measures what moving builder stages to the build platform gains: projects whose Dockerfiles say nothing of platforms,
// built for several, with nothing cached. Before each run all that BuildKit holds is pruned, base images too, so each
// command pulls, compiles and exports. There are three ways:
//
//	archbuild   archbuild, unmodified Dockerfile
//	buildx      docker buildx build, unmodified Dockerfile
//	twin        archbuild, the same Dockerfile with FROM --platform=$BUILDPLATFORM and what goes with it, written by hand
type crossBench struct {
	platforms string
	runs      int
	ways      []string
	projects  []string
}

// crossMain reads the command line after "cross".
func crossMain(ctx context.Context, args []string) error {
	var b crossBench
	flags := flag.NewFlagSet("bench cross", flag.ContinueOnError)
	flags.IntVar(&b.runs, "n", 1, "runs of each command; an emulated one takes minutes")
	flags.StringVar(&b.platforms, "platform", "linux/amd64,linux/arm64", "platforms to build for; golang, node and JDK fixtures have no linux/arm/v7")
	ways := flags.String("ways", "archbuild,buildx,twin", "which ways to measure")
	projects := flags.String("projects", "cli,crane,frontend,java", "which projects to build")
	programs := [3]string{"bin/archbuild", "bin/buildx", "bin/buildctl"}
	if err := flags.Parse(args); err != nil {
		return err
	}
	b.ways, b.projects = strings.Split(*ways, ","), strings.Split(*projects, ",")
	for i, program := range programs {
		absolute, err := filepath.Abs(program)
		if err != nil {
			return err
		}
		programs[i] = absolute
	}
	hub, err := fixtures.StartLanguages(ctx)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, hub, programs[0], programs[1], programs[2])
	if err != nil {
		return err
	}
	defer w.close()
	var errs []error
	for _, name := range b.projects {
		if err := b.project(ctx, w, name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// project measures one project, and compares what came out.
func (b crossBench) project(ctx context.Context, w *world, name string) error {
	dir, err := makeProject(ctx, w, name)
	if err != nil {
		return err
	}
	out := map[string]string{}
	var rows []*command
	for _, way := range b.ways {
		out[way] = filepath.Join(w.dir, name+"-"+way+".tar")
		row, err := b.command(w, way, dir, out[way])
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	fmt.Printf("%s for %s, nothing cached, %d interleaved runs\n", name, b.platforms, b.runs)
	for _, row := range rows {
		fmt.Printf("  $ %s\n", strings.Join(row.args, " "))
	}
	work := map[string]time.Duration{}
	for range b.runs {
		for _, row := range rows {
			if _, err := w.output(ctx, w.buildctl, "--addr", w.address, "prune", "--all"); err != nil {
				return err
			}
			before := w.stepsTime()
			if err := row.run(ctx); err != nil {
				return err
			}
			steps := w.stepsTime() - before
			work[row.name] += steps
			fmt.Printf("  %-10s %6.1f s, its RUN steps %6.1f s of processor time\n", row.name, row.walls[len(row.walls)-1].Seconds(), steps.Seconds())
		}
	}
	reportCross(name, rows, work)
	return b.compare(out)
}

// command is how one way builds a project.
func (b crossBench) command(w *world, way, dir, dest string) (*command, error) {
	output := "type=oci,dest=" + dest
	args, ok := map[string][]string{
		"archbuild": {w.archbuild, dir, "--no-resume", "--cross=auto", "--platform", b.platforms, "-o", output, "--progress", "quiet"},
		"buildx":    {w.buildx, "build", "--builder", "bench", "--provenance=false", dir, "--platform", b.platforms, "-o", output, "--progress", "quiet"},
		"twin":      {w.archbuild, dir, "--no-resume", "-f", filepath.Join(dir, "twin.Dockerfile"), "--platform", b.platforms, "-o", output, "--progress", "quiet"},
	}[way]
	if !ok {
		return nil, fmt.Errorf("no way is called %q", way)
	}
	return &command{name: way, env: w.env, args: args}, nil
}

// reportCross prints medians and how they keep what is promised. Processor time is printed beside them: on a busy machine it says more.
func reportCross(project string, rows []*command, work map[string]time.Duration) {
	medians := map[string]time.Duration{}
	for _, row := range rows {
		slices.Sort(row.walls)
		medians[row.name] = row.median()
	}
	faster := 3.0
	if project == "cli" || project == "crane" {
		faster = 5
	}
	against := func(a, b string, keeps func(float64) bool, promise string) {
		if medians[a] == 0 || medians[b] == 0 {
			return
		}
		r := float64(medians[a]) / float64(medians[b])
		verdict := promise
		switch {
		case promise == "":
		case keeps(r):
			verdict = " (promised " + promise + ": kept)"
		default:
			verdict = " (promised " + promise + ": NOT kept)"
		}
		fmt.Printf("  %s / %s = %.2f%s, processor time of RUN steps %.2f\n", a, b, r, verdict, float64(work[a])/max(1, float64(work[b])))
	}
	against("buildx", "archbuild", func(r float64) bool { return r >= faster }, fmt.Sprintf("≥ %.0f", faster))
	against("archbuild", "twin", func(r float64) bool { return r <= 1.15 }, "≤ 1.15")
	against("buildx", "twin", nil, "")
}

// compare fails unless all archives hold the same for every platform.
func (b crossBench) compare(archives map[string]string) error {
	for platform := range strings.SplitSeq(b.platforms, ",") {
		var first string
		var want map[string]string
		for _, way := range b.ways {
			got, err := contents(archives[way], platform)
			if err != nil {
				return fmt.Errorf("reading the result of %s: %w", way, err)
			}
			if want == nil {
				first, want = way, got
				continue
			}
			if diff := differences(want, got); len(diff) > 0 {
				return fmt.Errorf("%s: %s and %s made different images:\n  %s", platform, first, way, strings.Join(diff, "\n  "))
			}
		}
		fmt.Printf("  %s: the same %d files and config from %s\n", platform, len(want)-1, strings.Join(b.ways, ", "))
	}
	for _, archive := range archives {
		if err := os.Remove(archive); err != nil {
			return err
		}
	}
	return nil
}
