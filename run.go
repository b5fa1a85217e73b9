package archbuild

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// run is Options read: every text of a flag turned into what it means. Wrong
// usage is found here, before anything is looked at or done.
type run struct {
	Options
	args    buildArgs
	secrets []builder.Secret
	ssh     []builder.SSH
	namedContexts
	labels      map[string]string
	annotations manifest.Annotations
	outputs     []manifest.Output
	// engines are those that images are loaded into, by Docker context.
	engines map[string]*containers.Engine
	// export are attributes of BuildKit's exporter that some output asks for.
	export     map[string]string
	provenance string
	// sbom is the scanner that lists what is in an image, nil for none.
	sbom *scanner
	// frontend are attributes of flags that BuildKit's frontend understands, allow the
	// privileges that steps may ask for.
	frontend map[string]string
	allow    []string
	// proxyArgs are build arguments from the Docker config.
	proxyArgs          map[string]string
	cacheFrom, cacheTo []builder.Cache
	cacheTags          *cacheTags
	// besides are files that archbuild itself writes: they are no part of a context.
	besides []string
	// optional are platforms that may fail.
	optional []platform.Platform
	profile  manifest.Profile
	rules    []resolve.Rule
	// moves are those of --allow-move, from a registry to another one; agreed are answers.
	moves    map[[2]string]bool
	agreed   map[agreement]bool
	mode     resolve.Mode
	store    keep.Store
	registry *registry.Client
	// emulated are platforms of which no stage may move to the build platform, and why.
	emulated map[platform.Platform]string
	// resuming takes results of former runs; nil builds everything.
	resuming *resuming
	// began is when the options were read: nothing known of files is older.
	began time.Time
	// mirrors of each registry, by buildkitd.toml.
	mirrors map[string][]string
	// images are named contexts of one job that other services of the run have made.
	images map[string]builder.Image
	// silent are registries that did not answer, for verbs that can do without.
	silent *silentHosts
	// single says that the options are those of one service.
	single bool
}

// check reads the options. All wrong ones are reported at once.
func (o Options) check() (run, error) {
	o.System, _ = o.Guarded() // what is cut off has no end, so nothing waits to be flushed
	r, err := o.checkFlags()
	r.store, r.cacheTags, r.resuming, r.began = o.world().Kept(), newCacheTags(), &resuming{}, time.Now()
	r.silent, r.agreed = &silentHosts{}, map[agreement]bool{}
	var wrong error
	r.registry, r.mirrors, wrong = o.registryClient()
	return r, errors.Join(err, wrong)
}

// checkFlags reads what can be another thing for each service.
func (o Options) checkFlags() (run, error) {
	r := run{Options: o}
	var failed []error
	note := func(err error) { failed = append(failed, wrong.AsUsage(err)) }
	var err error
	r.args, err = o.parseBuildArgs()
	note(err)
	r.secrets, err = parseSecrets(o.Secrets)
	note(err)
	r.namedContexts, err = parseContexts(o.BuildContexts)
	note(err)
	r.ssh, err = o.parseSSH()
	note(err)
	r.labels, err = parseLabels(o.Labels)
	note(err)
	r.provenance, r.sbom, err = o.attestations()
	note(err)
	r.frontend, r.allow, err = o.frontend(o.NoCache)
	note(err)
	r.cacheFrom, r.cacheTo, err = o.caches(r.args)
	note(err)
	note(r.checkCaches())
	r.proxyArgs = o.proxies()
	r.profile, err = manifest.ParseProfile(o.Attestations)
	note(meant("--attestations", o.Attestations, err))
	note(o.Release.Check(o.Tags))
	r.annotations, err = manifest.ParseAnnotations(o.Annotations)
	note(err)
	r.outputs, err = manifest.ParseOutputs(o.Outputs)
	note(err)
	r.outputs = o.withLoad(r.outputs)
	r.annotations = append(r.annotations, manifest.AnnotationsOf(r.outputs)...)
	r.export, err = manifest.ExporterAttrs(r.outputs)
	note(err)
	note(r.checkDockerTypes())
	r.rules, err = parseRules(o.Bases)
	note(err)
	note(resolve.Rules{List: r.rules}.Check())
	r.moves, err = parseMoves(o.AllowMove)
	note(err)
	r.mode, err = resolve.ParseMode(o.BasesMode)
	note(meant("--bases", o.BasesMode, err))
	note(o.checkWords())
	r.optional, err = o.parseOptional()
	note(err)
	note(o.checkFarm())
	note(r.checkNames())
	note(r.checkRecord())
	note(r.checkFiles())
	note(r.checkTokens())
	note(r.checkDeps())
	note(verify.CheckGlobs(o.VerifyAllow))
	return r, errors.Join(failed...)
}

func parseRules(texts []string) ([]resolve.Rule, error) {
	var rules []resolve.Rule
	for _, text := range texts {
		rule, err := resolve.ParseRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// checkWords looks at the flags that take one word of a few.
func (o Options) checkWords() error {
	if o.MaxBytes < 0 || o.MaxInstructions < 0 {
		return &wrong.Usage{errors.New("--max-bytes and --max-instructions are not below 0"), "leave them out for the limits that archbuild has"}
	}
	for _, flag := range []struct{ name, value string }{
		{"--verify", o.Verify}, {"--cross", o.Cross}, {"--emulation", o.Emulation}, {o.world().ProgressFrom(), o.progressMode()},
	} {
		if flag.value != "" && !slices.Contains(words(flag.name), flag.value) {
			return noWord(flag.name, flag.value)
		}
	}
	if o.progressMode() == "tty" && !isTerminal(o.Stderr) {
		return &wrong.Usage{fmt.Errorf("%s tty: standard error is no terminal", o.world().ProgressFrom()), "use --progress plain"}
	}
	return nil
}

// checkNames sees to it that several builds do not write over one another, and
// that a push has somewhere to go.
func (r run) checkNames() error {
	if r.Push && len(r.Tags) == 0 && (r.found == nil || r.of != nil) {
		return &wrong.Usage{errors.New("--push needs a tag"), "name the image: -t REGISTRY/NAME:TAG"}
	}
	if r.imageCount() < 2 || r.of != nil {
		return nil
	}
	texts := map[string][]string{"-t": r.Tags, "--iidfile": {r.IIDFile}, "--metadata-file": {r.MetadataFile}}
	if r.found != nil {
		delete(texts, "--metadata-file") // It has a key for each.
	}
	for _, flag := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range texts[flag] {
			if text != "" && manifest.Expand(text, "") == text {
				return &wrong.Usage{fmt.Errorf("%s %s would be the same for %d %s", flag, text, r.imageCount(), r.imagesWord()), "put {name} into it: " + flag + " " + text + "-{name}"}
			}
		}
	}
	for _, out := range r.outputs {
		if !out.HasName() {
			return &wrong.Usage{fmt.Errorf("-o %s would be the same for %d %s", out, r.imageCount(), r.imagesWord()), "put {name} into it"}
		}
	}
	return nil
}

// checkFiles looks at the files and folders that flags name, before anything is done.
func (r run) checkFiles() error {
	var failed []error
	for _, s := range r.secrets {
		if s.Env == "" && s.File == "" {
			if _, set := os.LookupEnv(s.ID); set {
				continue
			}
			s.File = s.ID // as buildx has it
		}
		if _, set := os.LookupEnv(s.Env); s.Env != "" && !set {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--secret id=%s: the environment has no %s", s.ID, s.Env), "set it, or give a file: src=FILE"})
		}
		if s.File == "" {
			continue
		}
		if info, err := os.Stat(s.File); err != nil || info.IsDir() {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--secret id=%s: no such file: %s", s.ID, s.File), "give the file that holds it: src=FILE"})
		}
	}
	for _, text := range []string{r.IIDFile, r.MetadataFile} {
		folder := filepath.Dir(text)
		if info, err := os.Stat(folder); text != "" && manifest.Expand(folder, "") == folder && (err != nil || !info.IsDir()) {
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s: no such folder: %s", text, folder), "make the folder first: mkdir -p " + folder})
		}
	}
	return errors.Join(failed...)
}

// progressOut is where progress is drawn: builder.Display makes harmless what it shows.
func (r run) progressOut() io.Writer {
	if mode := r.progressMode(); mode != "auto" && mode != "tty" {
		return r.Stderr
	}
	return ui.Screen(r.Stderr)
}

// manifestAnnotations are those that BuildKit has to write.
func (r run) manifestAnnotations(p plan.Plan) map[platform.Platform]map[string]string {
	byPlatform := map[platform.Platform]map[string]string{}
	for _, job := range p.Jobs {
		byPlatform[job.Platform] = r.annotations.Exporter(job.Platform)
	}
	return byPlatform
}
