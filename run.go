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
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/verify"
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
	mode     resolve.Mode
	store    store
	registry *registry.Client
	// emulated are platforms of which no stage may move to the build platform, and why.
	emulated map[platform.Platform]string
	// resuming takes results of former runs; nil builds everything.
	resuming *resuming
	// began is when the options were read: nothing known of files is older.
	began time.Time
	// mirrors of each registry, by buildkitd.toml.
	mirrors map[string][]string
	// silent are registries that did not answer, for verbs that can do without.
	silent *silentHosts
}

// check reads the options. All wrong ones are reported at once.
func (o Options) check() (run, error) {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	r := run{Options: o, store: o.contentStore(), cacheTags: newCacheTags(), resuming: &resuming{}, began: time.Now(), silent: &silentHosts{}}
	var failed []error
	note := func(err error) { failed = append(failed, usage(err)) }
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
	note(o.Release.check(o.Tags))
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
	r.mode, err = resolve.ParseMode(o.BasesMode)
	note(meant("--bases", o.BasesMode, err))
	note(o.checkWords())
	r.optional, err = o.parseOptional()
	note(err)
	note(o.checkFarm())
	note(r.checkNames())
	note(r.checkRecord())
	note(r.checkFiles())
	note(r.checkDeps())
	note(verify.CheckGlobs(o.VerifyAllow))
	r.registry, r.mirrors, err = o.registryClient()
	failed = append(failed, err)
	return r, errors.Join(failed...)
}

// usage makes an error about a flag one of wrong usage, whatever package found it.
func usage(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // They stay independent.
		var each []error
		for _, e := range joined.Unwrap() {
			each = append(each, usage(e))
		}
		return errors.Join(each...)
	}
	if errors.As(err, new(*UsageError)) {
		return err
	}
	return &UsageError{err, hintOf(err)}
}

// mistyped makes wrong usage of paths that do not exist, where the command line
// names them.
func mistyped(err error) error {
	joined, several := err.(interface{ Unwrap() []error })
	switch {
	case several:
		var each []error
		for _, e := range joined.Unwrap() {
			each = append(each, mistyped(e))
		}
		return errors.Join(each...)
	case errors.As(err, new(*ocistore.NoFileError)):
		return usage(err)
	}
	return err
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
		return &UsageError{errors.New("--max-bytes and --max-instructions are not below 0"), "leave them out for the limits that archbuild has"}
	}
	for _, flag := range []struct{ name, value string }{
		{"--verify", o.Verify}, {"--cross", o.Cross}, {"--emulation", o.Emulation}, {o.progressFrom(), o.progressMode()},
	} {
		if flag.value != "" && !slices.Contains(words(flag.name), flag.value) {
			return noWord(flag.name, flag.value)
		}
	}
	if o.progressMode() == "tty" && !isTerminal(o.Stderr) {
		return &UsageError{fmt.Errorf("%s tty: standard error is no terminal", o.progressFrom()), "use --progress plain"}
	}
	return nil
}

// checkNames sees to it that several builds do not write over one another, and
// that a push has somewhere to go.
func (r run) checkNames() error {
	if r.Push && len(r.Tags) == 0 {
		return &UsageError{errors.New("--push needs a tag"), "name the image: -t REGISTRY/NAME:TAG"}
	}
	if len(r.Paths) < 2 {
		return nil
	}
	texts := map[string][]string{"-t": r.Tags, "--iidfile": {r.IIDFile}, "--metadata-file": {r.MetadataFile}}
	for _, flag := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range texts[flag] {
			if text != "" && manifest.Expand(text, "") == text {
				return &UsageError{fmt.Errorf("%s %s would be the same for %d folders", flag, text, len(r.Paths)), "put {name} into it: " + flag + " " + text + "-{name}"}
			}
		}
	}
	for _, out := range r.outputs {
		if !out.HasName() {
			return &UsageError{fmt.Errorf("-o %s would be the same for %d folders", out, len(r.Paths)), "put {name} into it"}
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
			failed = append(failed, &UsageError{fmt.Errorf("--secret id=%s: the environment has no %s", s.ID, s.Env), "set it, or give a file: src=FILE"})
		}
		if s.File == "" {
			continue
		}
		if info, err := os.Stat(s.File); err != nil || info.IsDir() {
			failed = append(failed, &UsageError{fmt.Errorf("--secret id=%s: no such file: %s", s.ID, s.File), "give the file that holds it: src=FILE"})
		}
	}
	for _, text := range []string{r.IIDFile, r.MetadataFile} {
		folder := filepath.Dir(text)
		if info, err := os.Stat(folder); text != "" && manifest.Expand(folder, "") == folder && (err != nil || !info.IsDir()) {
			failed = append(failed, &UsageError{fmt.Errorf("%s: no such folder: %s", text, folder), "make the folder first: mkdir -p " + folder})
		}
	}
	return errors.Join(failed...)
}

// registryClient reaches registries the way the engine does: by the tables of
// the same buildkitd.toml.
func (o Options) registryClient() (*registry.Client, map[string][]string, error) {
	path, err := o.engineConfig()
	if err != nil {
		return nil, nil, err
	}
	config, err := engine.LoadConfig(path)
	if err != nil {
		return nil, nil, err
	}
	mirrors := map[string][]string{}
	for host, table := range config.Registries {
		mirrors[host] = table.Mirrors
	}
	cache := o.answersDir()
	if o.DryRun { // which leaves nothing behind
		cache = ""
	}
	keys, err := o.keychain()
	if err != nil {
		return nil, nil, err
	}
	if log := o.engineLog(); log != nil {
		for _, warning := range engine.ConfigWarnings(path) {
			fmt.Fprintf(log, "archbuild: warning: %s\n", ui.Line(warning))
		}
	}
	return registry.New(registry.Options{
		Hosts: registry.FromBuildkitd(config.Registries), Else: o.otherHosts(), CacheDir: cache, UserAgent: "archbuild/" + o.Version,
		Keychain: keys, Concurrency: o.Concurrency, Rate: o.Rate, Backoff: o.backoff,
	}), mirrors, nil
}

// progressMode is --progress, else BUILDKIT_PROGRESS, as in buildx: there "none"
// shows no progress, and "quiet" is --quiet. Without either it is plain in a CI.
func (o Options) progressMode() string {
	mode := o.Progress
	if o.progressFrom() == progressVariable {
		mode = o.Getenv(progressVariable)
	}
	switch mode {
	case "", "auto":
		if o.inCI() {
			return "plain"
		}
		return "auto"
	case "none":
		return "quiet"
	}
	return mode
}

// progressVariable names a mode in the environment.
const progressVariable = "BUILDKIT_PROGRESS"

// progressFrom is what says how progress is shown.
func (o Options) progressFrom() string {
	if (o.Progress == "" || o.Progress == "auto") && o.Getenv(progressVariable) != "" {
		return progressVariable
	}
	return "--progress"
}

// RawProgress says that standard error is a JSON document in each line and nothing
// else, as long as nothing fails.
func (o Options) RawProgress() bool { return o.progressMode() == "rawjson" }

func (r run) progressOut() io.Writer { return r.Stderr }

// manifestAnnotations are those that BuildKit has to write.
func (r run) manifestAnnotations(p plan.Plan) map[platform.Platform]map[string]string {
	byPlatform := map[platform.Platform]map[string]string{}
	for _, job := range p.Jobs {
		byPlatform[job.Platform] = r.annotations.Exporter(job.Platform)
	}
	return byPlatform
}
