package archbuild

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/verify"
)

// checkJob looks at one platform, before an index exists.
func (r run) checkJob(ctx context.Context, s service, job plan.Job, built builder.Result, at *Built) (manifest.Result, error) {
	result, err := r.exported(s, job, built)
	if err == nil && job.Moves() {
		err = r.auditCross(ctx, s, job, result)
	}
	if err == nil {
		at.Digest, at.Size = result.Descriptor.Digest.String(), result.Size
		at.Findings, err = r.verify(ctx, s, job, result)
	}
	err = r.refused(ctx, built, job, err)
	if refused := new(interface{ ExitStatus() int }); errors.As(err, refused) {
		at.State = stateRefused
	} else if err != nil && !errors.Is(err, context.Canceled) { // what ^C kept from being looked at stays built
		at.State = stateFailed
	}
	return result, err
}

// exported reads what a job was built to. That the config names another platform is no
// error where verification only warns.
func (r run) exported(s service, job plan.Job, built builder.Result) (manifest.Result, error) {
	result, err := manifest.FromExport(manifest.Store{Dir: r.store.Dir}, job.Platform, built.Descriptor)
	if mismatch := (*manifest.PlatformError)(nil); errors.As(err, &mismatch) && r.verifyMode(s) != "fail" {
		err = nil
	}
	if err == nil {
		err = r.onItsBase(result, job)
	}
	return result, err
}

// look audits one platform's programs.
func (r run) look(ctx context.Context, s service, job plan.Job, result manifest.Result) (verify.Report, error) {
	img, err := r.image(result)
	if err != nil {
		return verify.Report{}, err
	}
	base, err := baseLayers(img, job)
	if err != nil {
		return verify.Report{}, err
	}
	return verify.Image(ctx, img, verify.Options{
		Platform: job.Platform, MaxBytes: r.unpacked(job, result), BaseLayers: base, Memory: r.verdicts(),
		Allow:  r.allowed(s),
		Origin: origin(s.of(job.Platform).template, job),
	})
}

// verify audits one platform's programs, and tells what is worth a warning.
func (r run) verify(ctx context.Context, s service, job plan.Job, result manifest.Result) ([]verify.Finding, error) {
	mode := r.verifyMode(s)
	if mode == "off" {
		return nil, nil
	}
	report, err := r.look(ctx, s, job, result)
	if err != nil {
		return nil, err
	}
	if mode == "fail" {
		err = report.Err()
	}
	warnings := report.Findings
	if err != nil {
		warnings = report.Warnings()
	}
	for i, finding := range warnings {
		if i == shownWarnings {
			fmt.Fprintf(r.Stderr, "archbuild: warning: %s: and %d more of the kind\n", job.Platform, len(warnings)-i)
			break
		}
		fmt.Fprintf(r.Stderr, "archbuild: warning: %s: %s\n", job.Platform, finding.Message)
	}
	return report.Findings, err
}

// allowed are the globs of files that may be for another machine.
func (r run) allowed(s service) []string {
	return append(append([]string{}, s.config.Verify.Allow...), r.VerifyAllow...)
}

// shownWarnings is how many findings of a platform are spelled out; --json has all.
const shownWarnings = 10

func (r run) verifyMode(s service) string {
	r = r.with(s)
	switch {
	case r.Verify != "":
		return r.Verify
	case s.config.Verify.Mode != "":
		return s.config.Verify.Mode
	}
	return "fail"
}

// image opens a result in the content store.
func (r run) image(result manifest.Result) (v1.Image, error) {
	digest, err := v1.NewHash(result.Descriptor.Digest.String())
	if err != nil {
		return nil, err
	}
	return ocistore.Store{Dir: r.store.Dir}.Image(v1.Descriptor{Digest: digest, Size: result.Descriptor.Size})
}

// baseLayers is how many of the image's layers are its base's: those were
// resolved for the platform and are somebody else's to answer for.
func baseLayers(img v1.Image, job plan.Job) (int, error) {
	if job.Final == nil || !job.Final.Platform.Serves(job.Platform) {
		return 0, nil
	}
	var digests []v1.Hash
	for _, text := range job.Final.Layers {
		digest, err := v1.NewHash(text)
		if err != nil {
			return 0, err
		}
		digests = append(digests, digest)
	}
	return verify.BaseLayers(img, digests)
}

// origin tells which instruction put a file into the image: a COPY or ADD whose
// destination certainly holds it, else some RUN of the final stage.
func origin(t *template.Template, job plan.Job) func(string) (string, bool) {
	stage := len(t.Stages) - 1
	if i, ok := t.Stage(job.Target); ok && job.Target != "" {
		stage = i
	}
	return func(path string) (string, bool) {
		if c, ok := t.Origin(stage, path); ok {
			return fmt.Sprintf("%s at %s:%d", c.Instruction, t.Name, c.Line), true
		}
		if t.Stages[stage].Run == 0 {
			return "", false
		}
		name := t.Stages[stage].Name
		if name == "" {
			name = fmt.Sprint(stage)
		}
		return "a RUN of stage " + name, false
	}
}

// verdicts remembers what was found, so that nothing is looked at twice.
func (o Options) verdicts() verify.Folder {
	return verify.Folder{Dir: string(o.world().Kept().Verdicts)}
}
