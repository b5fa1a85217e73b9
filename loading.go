package archbuild

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// Loaded tells which container engine has an image now.
type Loaded struct {
	// Engine is Docker or Podman, Version what it says of itself.
	Engine  string `json:"engine"`
	Version string `json:"version"`
	// Address of Docker's API; empty where the podman command was used.
	Address string `json:"address,omitempty"`
	// Names it has there; none means that it is known by its ID alone.
	Names []string `json:"names,omitempty"`
	// ID is the digest that the engine knows it by: of the index, where the engine keeps
	// that, else of a config.
	ID        string              `json:"id"`
	Platforms []platform.Platform `json:"platforms"`
	// Left are platforms that were built, and that this engine's store has no place for.
	Left []platform.Platform `json:"left,omitempty"`
}

// String says it for a summary: Docker 20.10.24 as app:1.2 (linux/amd64; its store
// holds one platform).
func (l Loaded) String() string {
	as := l.ID
	if len(l.Names) > 0 {
		as = strings.Join(l.Names, ", ")
	}
	only := ""
	if len(l.Left) > 0 {
		only = "; its store holds one platform"
	}
	return fmt.Sprintf("%s %s as %s (%s%s)", l.Engine, l.Version, as, joinPlatforms(l.Platforms), only)
}

// ID is the digest by which a script goes on with the image: that of the index, but
// for an image that went nowhere but into an engine that has another name for it.
func (i Image) ID() string {
	if i.Pushed == nil && len(i.Outputs) == 0 && len(i.Loaded) == 1 && len(i.Loaded[0].Platforms) == 1 {
		return i.Loaded[0].ID
	}
	return i.Digest
}

// IDs are those of the images that were asked for, in the order of the plan. What is built only because another image stands
// on it has none among them.
func (o Outcome) IDs() []string {
	var list []string
	for _, image := range o.Images {
		if image.Digest != "" && !image.aside {
			list = append(list, image.ID())
		}
	}
	return list
}

// withLoad adds --load to the outputs, unless one of them says the same.
func (o Options) withLoad(outputs []manifest.Output) []manifest.Output {
	same := func(out manifest.Output) bool { return out.Loads() && out.Context == "" }
	if !o.Load || slices.ContainsFunc(outputs, same) {
		return outputs
	}
	return append(outputs, manifest.Output{Type: manifest.TypeDocker})
}

// findEngines finds every engine that some output of some service is loaded into, by the name of its
// Docker context. This is done before anything is built.
func (r run) findEngines(ctx context.Context, services []service) (map[string]*containers.Engine, error) {
	found := map[string]*containers.Engine{}
	var outputs []manifest.Output
	for _, s := range services {
		outputs = append(outputs, r.with(s).outputs...)
	}
	for _, out := range outputs {
		if !out.Loads() || found[out.Context] != nil {
			continue
		}
		engine, err := containers.Find(ctx, containers.Options{Environ: r.Environ, Context: out.Context})
		if err != nil {
			return nil, err
		}
		found[out.Context] = engine
	}
	return found, nil
}

// checkLoads looks whether the engines can take what is going to be built.
func (r run) checkLoads(s service, outputs []manifest.Output) error {
	for _, out := range outputs {
		if !out.Loads() {
			continue
		}
		engine := r.engines[out.Context]
		if taken, _ := divide(engine, platformsOf(s)); len(taken) == 0 {
			return &wrong.Usage{
				fmt.Errorf("%s keeps one platform of an image, and its own, %s, is not built", engine, engine.Platform),
				"add " + engine.Platform.String() + " to --platform, or build one platform alone",
			}
		}
	}
	return nil
}

func platformsOf(s service) []platform.Platform {
	var list []platform.Platform
	for _, target := range s.targets {
		list = append(list, target.Platform)
	}
	return list
}

// divide tells which platforms an engine takes: all, where its store holds several
// or there is one, else the one that suits it best.
func divide(engine *containers.Engine, built []platform.Platform) (taken, left []platform.Platform) {
	if engine.Holds() || len(built) == 1 {
		return built, nil
	}
	best := -1
	for i, p := range built {
		if p.Serves(engine.Platform) && (best < 0 || p.Better(built[best], engine.Platform)) {
			best = i
		}
	}
	if best < 0 {
		return nil, built
	}
	left = slices.Delete(slices.Clone(built), best, best+1)
	return built[best : best+1], left
}

// loadNotes say in the plan where an image is loaded, and what stays outside.
func (r run) loadNotes(s service, tags []string) []string {
	var notes []string
	for _, out := range r.outputsOf(s) {
		engine := r.engines[out.Context]
		if !out.Loads() || engine == nil {
			continue
		}
		taken, left := divide(engine, platformsOf(s))
		at := ""
		if engine.Address != "" {
			at = " at " + engine.Address
		}
		note := fmt.Sprintf("loads into %s%s: %s", engine, at, joinPlatforms(taken))
		if len(left) > 0 {
			note += fmt.Sprintf("; its store holds one platform of an image, so %s stays outside", joinPlatforms(left))
		}
		if len(out.Named(tags)) == 0 {
			note += "; without -t it is known there by its ID alone"
		}
		notes = append(notes, note)
	}
	return notes
}

func joinPlatforms(list []platform.Platform) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// load brings the image into an engine.
func (r run) load(ctx context.Context, out manifest.Output, index manifest.Index, names []string) (Loaded, error) {
	engine := r.engines[out.Context]
	var built []platform.Platform
	for _, result := range index.Results {
		built = append(built, result.Platform)
	}
	taken, left := divide(engine, built)
	image, err := loadable(engine, index, taken, out.Named(names))
	if err != nil {
		return Loaded{}, err
	}
	told := r.engineLog()
	fmt.Fprintf(told, "archbuild: loading %s into %s\n", joinPlatforms(taken), ui.Line(engine.String()))
	err = engine.Load(ctx, image, func(line string) { fmt.Fprintf(told, "archbuild: %s: %s\n", engine.Name, ui.Line(line)) })
	return Loaded{
		Engine: engine.Name, Version: engine.Version, Address: engine.Address,
		Names: image.Names, ID: image.Parts[0].ID, Platforms: taken, Left: left,
	}, err
}

// loadable puts an image into the form that an engine takes.
func loadable(engine *containers.Engine, index manifest.Index, taken []platform.Platform, names []string) (containers.Image, error) {
	image := containers.Image{Names: names}
	if engine.Store == containers.Indexes {
		image.Parts = []containers.Part{{
			ID:    index.Descriptor.Digest.String(),
			Write: func(ctx context.Context, w io.Writer) error { return index.WriteArchive(ctx, w, names) },
		}}
		return image, nil
	}
	for _, p := range taken {
		one, err := index.Only(p)
		if err != nil {
			return image, err
		}
		zstd, err := one.Compressed("+zstd")
		if err == nil && zstd && engine.NoZstd {
			err = &containers.CompressionError{Engine: engine.String()}
		}
		if err != nil {
			return image, err
		}
		part := containers.Part{ID: one.Results[0].Config.String()}
		part.Write = func(ctx context.Context, w io.Writer) error {
			if engine.Store == containers.Lists {
				return one.WriteArchive(ctx, w, nil)
			}
			return one.WriteDocker(ctx, w, names)
		}
		image.Parts = append(image.Parts, part)
	}
	return image, nil
}
