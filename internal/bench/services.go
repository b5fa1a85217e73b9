package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// servicesBench measures a project of 14 images for two platforms of which nothing has changed, on one BuildKit:
//
//	archbuild   archbuild compose.yaml --no-resume: the node is asked for every image, as far as its cache goes
//	buildx      docker buildx bake, with a file that has a context "target:…" for each base
//	resumed     archbuild as it is: what the last run built is still there
//
// Once with an OCI archive of each image, once pushing to a registry of this machine, once with no output. Attestations are off.
type servicesBench struct {
	runs  int
	world *world
	// dir is the project.
	dir string
}

// promisedServices is of archbuild's time as a part of buildx's.
const promisedServices = 0.8

// servicesFiles is where compose.yaml and docker-bake.hcl lie, from the repository's root.
const servicesFiles = "internal/bench/testdata/services"

// standsOn are the services by what their Dockerfile begins with.
var standsOn = map[string][]string{
	"debian:bookworm-slim": {"base"},
	"bench/base:1":         {"java", "front-end", "edge-router", "catalogue", "catalogue-db", "payment", "user"},
	"bench/java:1":         {"carts", "orders", "shipping", "queue-master", "accounts", "search"},
}

const serviceDockerfile = `FROM %s
COPY files /srv/%[2]s
RUN cat /srv/%[2]s/* | md5sum > /srv/%[2]s.sum
CMD ["cat", "/srv/%[2]s.sum"]
`

// servicesMain reads the command line after "services".
func servicesMain(ctx context.Context, args []string) error {
	b := servicesBench{}
	flags := flag.NewFlagSet("bench services", flag.ContinueOnError)
	archbuild := flags.String("archbuild", "bin/archbuild", "the archbuild to measure")
	buildx := flags.String("buildx", "bin/buildx", "docker buildx v0.37.2")
	flags.IntVar(&b.runs, "n", 5, "counted runs of each command")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var programs []string
	for _, program := range []string{*archbuild, *buildx} {
		absolute, err := filepath.Abs(program)
		if err != nil {
			return err
		}
		programs = append(programs, absolute)
	}
	hub, err := fixtures.Start(ctx)
	if err != nil {
		return err
	}
	if b.world, err = newWorld(ctx, hub, programs[0], programs[1], ""); err != nil {
		return err
	}
	defer b.world.close()
	if err := b.write(); err != nil {
		return fmt.Errorf("writing the project: %w", err)
	}
	return b.unchanged(ctx)
}

// write makes the project: each service with 20 files of 1 kB.
func (b *servicesBench) write() error {
	b.dir = filepath.Join(b.world.dir, "shop")
	if err := os.CopyFS(b.dir, os.DirFS(servicesFiles)); err != nil {
		return err
	}
	for _, dir := range []string{"archbuild", "buildx"} {
		if err := os.MkdirAll(filepath.Join(b.world.dir, "out", dir), 0o755); err != nil {
			return err
		}
	}
	for base, services := range standsOn {
		for _, name := range services {
			if _, err := b.world.project(filepath.Join("shop", name), fmt.Sprintf(serviceDockerfile, base, name), 20); err != nil {
				return err
			}
		}
	}
	return nil
}

// output is one way in which the images leave, for each of the two.
type output struct {
	what              string
	archbuild, buildx []string
	// promised is of archbuild's time as a part of buildx's; 0 is nothing.
	promised float64
}

func (b *servicesBench) outputs() []output {
	out := func(name string) string { return filepath.Join(b.world.dir, "out", name) }
	return []output{
		{"an OCI archive of each", []string{"-o", "type=oci,dest=" + out("archbuild") + "/{name}.tar"}, []string{"--allow", "fs.write=" + out("buildx")}, promisedServices},
		{"all pushed to a registry", []string{"-t", b.world.hub.Addr + "/archbuild/{name}:1", "--push"}, []string{"--set", "*.output=type=registry"}, promisedServices},
		// archbuild has verified here what the node exports to it, and buildx has left it on the node.
		{"no output", []string{"-o", "type=cacheonly"}, []string{"--set", "*.output=type=cacheonly"}, 0},
	}
}

// unchanged is the everyday run.
func (b *servicesBench) unchanged(ctx context.Context) error {
	var failed []error
	for _, out := range b.outputs() {
		failed = append(failed, b.measure(ctx, out))
	}
	return errors.Join(append(failed, b.same())...)
}

func (b *servicesBench) measure(ctx context.Context, out output) error {
	w := b.world
	ours := func(name string, more ...string) *command {
		args := []string{w.archbuild, filepath.Join(b.dir, "compose.yaml"), "--platform", "linux/amd64,linux/arm64", "--progress", "quiet"}
		return &command{name: name, env: w.env, args: slices.Concat(args, out.archbuild, more)}
	}
	// What --no-resume builds takes the place of what is recorded, so the other has a state folder of its own, and the same node.
	node, resumed := ours("archbuild", "--no-resume"), ours("resumed", "--node", w.address)
	resumed.env = append(slices.Clone(w.env), "ARCHBUILD_STATE="+filepath.Join(w.dir, "resumed"))
	buildx := &command{name: "buildx", dir: b.dir, args: slices.Concat([]string{
		w.buildx, "bake", "--builder", "bench", "-f", "docker-bake.hcl", "--provenance=false", "--sbom=false", "--progress", "quiet",
	}, out.buildx), env: append(slices.Clone(w.env), "OUT="+filepath.Join(w.dir, "out", "buildx"), "REGISTRY="+w.hub.Addr+"/buildx/")}
	fmt.Printf("14 images for two platforms on one node, everything cached, %s, %d interleaved runs\n", out.what, b.runs)
	if err := interleave(ctx, b.runs, []*command{node, buildx, resumed}); err != nil {
		return err
	}
	var errs []error
	for _, of := range []*command{node, resumed} {
		if out.promised == 0 {
			fmt.Printf("  %s / %s = %.2f (nothing promised)\n", of.name, buildx.name, of.to(buildx))
		} else if !ratio(of, buildx, out.promised) {
			errs = append(errs, fmt.Errorf("%s took %.2f of what buildx did, promised are %.1f", of.name, of.to(buildx), out.promised))
		}
	}
	return errors.Join(errs...)
}

// same makes sure that each has written an archive of every image, of about the same size.
func (b *servicesBench) same() error {
	for _, services := range standsOn {
		for _, name := range services {
			var sizes []int64
			for _, dir := range []string{"buildx", "archbuild"} {
				info, err := os.Stat(filepath.Join(b.world.dir, "out", dir, name+".tar"))
				if err != nil {
					return err
				}
				sizes = append(sizes, info.Size())
			}
			if slices.Max(sizes) > slices.Min(sizes)+slices.Min(sizes)/20 {
				return fmt.Errorf("the archives of %s are of %d bytes", name, sizes)
			}
		}
	}
	return nil
}
