package builder

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Options hold for all jobs of a run.
type Options struct {
	// Template is the Dockerfile's own name, for errors: its lines are those of every Dockerfile.ARCH.
	Template string
	Labels   map[string]string
	// Annotations of each platform's manifest, as attributes of the exporter.
	Annotations map[platform.Platform]map[string]string
	NoCache     bool
	Pull        bool
	// Provenance is the value of --provenance in BuildKit's form ("mode=max"), or empty for none.
	Provenance string
	// Export are further attributes of the OCI exporter, as -o has them (compression …).
	Export map[string]string
	// Remote are named contexts that are not on this machine: images, repositories, files.
	Remote map[string]Remote
	// Images are named contexts of the job that are images of this run: NAME::PLATFORM → image. The session lets
	// the node read them.
	Images map[string]Image
	// Frontend are further attributes for the Dockerfile frontend, in its own words:
	// force-network-mode, add-hosts, attest:sbom …
	Frontend map[string]string
	// Proxies are build arguments that count where a job has none of the name, in
	// upper or lower case.
	Proxies map[string]string
	// CacheProject comes before the ids of all cache mounts, and before a job's
	// CacheNamespace: those of one project are no other's. Where a job has an argument
	// [plan.NamespaceArg] that counts alone.
	CacheProject string
	// Allow are the privileges that steps may ask for: network.host, security.insecure.
	Allow []string
	// Caches outside the node; the same value as in Sources.
	Caches *Caches
	// Patience is how long a node that answers may let a job rest that has nothing left to do;
	// 0 is for ever.
	Patience time.Duration
	// Secrets, folders and Dockerfiles are offered by the Session.
}

// Result is what came of one job.
type Result struct {
	Platform platform.Platform
	// Descriptor of the manifest, or of an index with attestations, in the content store.
	Descriptor ocispecs.Descriptor
	// Steps that the job had, FROM left out, and how many the cache answered.
	Steps, Cached int
	// Began is when it was begun; zero where it was not. Elapsed is until it was in the content store.
	Began   time.Time
	Elapsed time.Duration
	// Ran are those steps: digests, which equal steps of other jobs share, and whether the
	// cache answered.
	Ran map[digest.Digest]bool
	// Caches that it has written into folders.
	Caches []CacheExport
	// Warnings of BuildKit's rules for Dockerfiles, as they came; see Warnings.
	Warnings []client.VertexWarning
	// Resumed says that nothing was built: the result was there.
	Resumed bool
	// Err is why there is no result.
	Err error
}

// Solve builds one job. Progress goes to the display under the job's name there,
// which no other job has at the same time. Several may be solved at once. When the
// context ends, a node that does not answer is waited for some seconds more, unless the
// node's client is closed.
func (s *Session) Solve(ctx context.Context, job plan.Job, opts Options, display *Display, name string) Result {
	watch := display.job(name, job.Platform)
	defer context.AfterFunc(ctx, func() {
		if _, lost := IsNodes(context.Cause(ctx)); lost {
			watch.leave() // a node that hangs lets Solve wait
		}
	})()
	var response *client.SolveResponse
	opt, err := s.solveOpt(job, opts)
	if err == nil && opts.Caches.taken(job) {
		var leave func()
		leave, err = s.turns.take(ctx, watch)
		defer leave()
	}
	began := time.Now()
	if err == nil {
		var watched func()
		ctx, watched = s.watched(ctx, job, opts, watch)
		defer watched()
		response, err = s.solve(ctx, opt, watch)
	} else {
		close(watch.channel())
		watch.wait()
	}
	if err != nil {
		watch.leave()
	}
	result := Result{Platform: job.Platform, Began: began, Elapsed: time.Since(began)}
	result.Ran = watch.ran()
	result.Steps, result.Cached = counts(result.Ran)
	result.Warnings = watch.warned()
	if err != nil {
		result.Err = s.failure(ctx, job, opts, err, watch)
		return result
	}
	if result.Err = refusal(ctx); result.Err != nil {
		return result
	}
	result.Caches = opts.Caches.exported(job.Platform)
	if result.Descriptor, err = descriptor(response); err != nil {
		result.Err = &LieError{Node: s.node.Name, Platform: job.Platform, Err: err}
	}
	return result
}

func (s *Session) solveOpt(job plan.Job, opts Options) (client.SolveOpt, error) {
	attrs, inputs, err := s.frontendAttrs(job, opts)
	if err != nil {
		return client.SolveOpt{}, err
	}
	for _, image := range opts.Images {
		s.handed.Hand(image.Blobs)
	}
	if err := s.putInRequest(job, opts, attrs, inputs); err != nil {
		return client.SolveOpt{}, err
	}
	opt := client.SolveOpt{
		SharedSession: s.session, SessionPreInitialized: true,
		Frontend: dockerfileFrontend, FrontendAttrs: attrs, FrontendInputs: inputs, Internal: s.node.Private, SourcePolicy: pins(job),
		AllowedEntitlements: opts.Allow,
		Exports:             []client.ExportEntry{{Type: client.ExporterOCI, Attrs: exportAttrs(job, opts)}},
	}
	opts.Caches.addTo(&opt, job.Platform)
	return opt, nil
}

// dockerfileFrontend is the one inside BuildKit.
const dockerfileFrontend = "dockerfile.v0"

// frontendAttrs is what the frontend is told of a job, and the contexts that the node
// has already.
func (s *Session) frontendAttrs(job plan.Job, opts Options) (map[string]string, map[string]llb.State, error) {
	attrs := map[string]string{
		"filename": job.Dockerfile,
		"platform": job.Platform.String(),
	}
	if job.Target != "" {
		attrs["target"] = job.Target
	}
	if job.Frontend == "" {
		// Any value makes the built-in frontend ignore the file's # syntax= line.
		attrs["cmdline"] = "builtin"
	}
	maps.Copy(attrs, opts.Frontend)
	addArgs(attrs, job, opts.Proxies)
	addNamespace(attrs, job, opts.CacheProject)
	for key, value := range opts.Labels {
		attrs["label:"+key] = value
	}
	for name, address := range s.named {
		attrs[contextAttr(name)] = address
	}
	for name, image := range opts.Images {
		attrs[contextAttr(name)] = image.address()
	}
	place, offered := s.dockerfiles.give()
	if place != dockerfileLocal {
		attrs["dockerfilekey"] = place
	}
	inputs, err := s.inputs(job.Dockerfile, offered, attrs)
	if err != nil {
		return nil, nil, err
	}
	for name, remote := range opts.Remote {
		remote.named(name, attrs, inputs)
	}
	for _, base := range job.Contexts {
		attrs["context:"+base.Context+"::"+contextPlatform(base.Platform)] = "docker-image://" + base.Pinned()
	}
	if opts.NoCache {
		attrs["no-cache"] = ""
	}
	if opts.Pull {
		attrs["image-resolve-mode"] = "pull"
	}
	if opts.Provenance != "" {
		attrs["attest:provenance"] = opts.Provenance
	}
	return attrs, inputs, nil
}

// addArgs adds the job's build arguments, and those proxies that it has no own of.
func addArgs(attrs map[string]string, job plan.Job, proxies map[string]string) {
	for key, value := range proxies {
		own := false
		for name := range job.Args {
			own = own || strings.EqualFold(name, key)
		}
		if !own {
			attrs["build-arg:"+key] = value
		}
	}
	for key, value := range job.Args {
		attrs["build-arg:"+key] = value
	}
}

// addNamespace keeps the job's cache mounts apart from those of others. A job without any
// has no namespace, so that its steps are those of any other tool. What another frontend
// mounts is not known.
func addNamespace(attrs map[string]string, job plan.Job, project string) {
	if _, given := job.Args[plan.NamespaceArg]; given {
		return
	}
	mounts := job.Frontend != "" || slices.ContainsFunc(job.Stages, func(s plan.Stage) bool { return s.Caches != "" })
	if !mounts {
		project = ""
	}
	if namespace := strings.Trim(project+"-"+job.CacheNamespace, "-"); namespace != "" {
		attrs["build-arg:"+plan.NamespaceArg] = namespace
	}
}

// exportAttrs has the image written blob by blob into the session's store: a
// blob that is there already is not sent again.
func exportAttrs(job plan.Job, opts Options) map[string]string {
	attrs := map[string]string{"tar": "false"}
	maps.Copy(attrs, opts.Export)
	if epoch := job.Args["SOURCE_DATE_EPOCH"]; epoch != "" {
		// What -o says of it counts more.
		attrs["rewrite-timestamp"] = "true"
		if _, err := strconv.ParseInt(epoch, 10, 64); err == nil {
			attrs["source-date-epoch"] = epoch // else it names something, whose time the frontend finds out
		}
		maps.Copy(attrs, opts.Export)
	}
	maps.Copy(attrs, opts.Annotations[job.Platform])
	return attrs
}

// descriptor reads what the exporter reports of the image it wrote.
func descriptor(response *client.SolveResponse) (ocispecs.Descriptor, error) {
	var d ocispecs.Descriptor
	encoded := response.ExporterResponse[exptypes.ExporterImageDescriptorKey]
	if encoded == "" {
		return d, errors.New("its answer names no image")
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil {
		err = d.Digest.Validate()
	}
	if err != nil {
		return d, fmt.Errorf("its answer names an image in no readable form: %w", err)
	}
	return d, nil
}

// Errors lists the failures among results.
func Errors(results []Result) error {
	var failed []error
	for _, r := range results {
		failed = append(failed, r.Err)
	}
	return errors.Join(failed...)
}
