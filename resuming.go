package archbuild

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
)

// A platform whose inputs are what they were has its result already: what it was built
// to is in the content store, and a note in the state folder says so. It is taken from
// there, and no node is asked. What inputs are is decided in resuming_key.go.
//
// A resumed result is the recorded one in every byte, its attestations included: they
// tell when and how it was built, and a run that builds nothing has nothing to add.
// It is verified again as if it had just been built.

// The words of Options.Resume.
const (
	// resumeAsked says why something cannot be taken; without a word nothing is said.
	resumeAsked = "true"
	// resumeNever builds everything.
	resumeNever = "false"
)

// resuming is what a run finds out to resume platforms. Nil resumes none and records none.
type resuming struct {
	contents contents
	seen     seenInputs
}

// recorded gives the result that a job had when it was built last, if every input is what
// it was then and every blob is still there. The store has to be held. p is the plan that
// the job would be built by, and record is to be called with the same.
func (r run) recorded(ctx context.Context, s service, p plan.Plan, job plan.Job) (builder.Result, bool) {
	if r.resuming == nil || !isOwn(string(r.store.Results)) {
		return builder.Result{}, false
	}
	recipe, err := r.jobRecipe(ctx, s, p, job)
	if err != nil {
		return builder.Result{}, r.cannotResume(job, err.Error())
	}
	notes := r.resultNotes(recipe)
	if why := r.neverResumed(s, job); why != "" {
		// What is built now takes the place of what was recorded.
		notes.forget()
		return builder.Result{}, r.cannotResume(job, why)
	}
	seen, err := r.contentsOf(ctx, s, p, job, r.began)
	if err != nil {
		return builder.Result{}, r.cannotResume(job, err.Error())
	}
	r.resuming.seen.put(s, job, seen)
	note, ok := notes.read(seen.digest)
	if !ok || note.Platform != job.Platform {
		return builder.Result{}, false
	}
	if !r.store.Use(note.Blobs, time.Now()) {
		return builder.Result{}, r.cannotResume(job, "what was built is no longer in the content store")
	}
	return builder.Result{Platform: job.Platform, Descriptor: note.Image, Warnings: note.Warnings, Resumed: true}, true
}

// isOwn says whether a folder is this user's: what somebody else has noted proves nothing.
func isOwn(folder string) bool {
	info, err := os.Lstat(folder)
	if err != nil {
		return os.IsNotExist(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && int(owner.Uid) == os.Geteuid()
}

// cannotResume says why, where somebody has asked for it. It is always false.
func (r run) cannotResume(job plan.Job, why string) bool {
	if r.Resume == resumeAsked {
		fmt.Fprintf(r.warn(), "archbuild: warning: %s is not resumed: %s\n", job.Platform, ui.Line(why))
	}
	return false
}

// record notes what a job was built to, as soon as it is: an interrupted run loses nothing
// that had ended. It is noted if it stands its verification, and if no input has
// changed since recorded has looked at it.
func (r run) record(ctx context.Context, s service, p plan.Plan, job plan.Job, built builder.Result, node string) {
	if r.resuming == nil || built.Err != nil || built.Resumed || ctx.Err() != nil {
		return
	}
	ended := time.Now()
	recipe, err := r.jobRecipe(ctx, s, p, job)
	if err != nil {
		return
	}
	was, ok := r.resuming.seen.get(s, job)
	if !ok || r.sound(ctx, s, job, built) != nil {
		return
	}
	if is, err := r.contentsOf(ctx, s, p, job, ended); err != nil || is != was {
		return // what was built is some of the one and some of the other
	}
	blobs, err := r.store.Blobs(built.Descriptor)
	if err != nil {
		return
	}
	r.resultNotes(recipe).write(was.digest, resultNote{
		Platform: job.Platform, Image: built.Descriptor, Blobs: blobs, Warnings: builder.Bare(built.Warnings),
		Steps: built.Steps, Seconds: built.Elapsed.Round(time.Millisecond).Seconds(), Node: node, At: ended.UTC().Round(time.Second),
	})
}

// sound says whether a result stands its verification. Nothing is told of it here: check
// does that, and finds the verdict remembered.
func (r run) sound(ctx context.Context, s service, job plan.Job, built builder.Result) error {
	result, err := r.exported(s, job, built)
	if err == nil && job.Moves() {
		err = r.auditCross(ctx, s, job, result)
	}
	if err != nil || r.verifyMode(s) == "off" {
		return err
	}
	report, err := r.look(ctx, s, job, result)
	if err == nil && r.verifyMode(s) == "fail" {
		err = report.Err()
	}
	return err
}

// inputDigest is a digest of inputs, with a stamp of the files that are among them.
type inputDigest struct{ digest, stamp digest.Digest }
