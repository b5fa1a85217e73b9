package archbuild

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/archbuild/archbuild/ci"
	process "github.com/archbuild/archbuild/internal/run"
)

// commitVariables are where CI systems tell the commit that is built.
var commitVariables = []string{"GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT", "DRONE_COMMIT_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION"}

// runVariables are where they tell what all jobs of one run have in common.
var runVariables = []string{"GITHUB_RUN_ID", "CI_PIPELINE_ID", "BUILDKITE_BUILD_ID", "CIRCLE_WORKFLOW_ID", "BUILD_BUILDID", "BITBUCKET_PIPELINE_UUID", "DRONE_BUILD_NUMBER", "CI_PIPELINE_NUMBER", "BUILD_TAG"}

// gitTime is how long git may take to name a commit.
const gitTime = 10 * time.Second

// commit is what is built of, by what the CI says, else by git; empty where neither
// knows.
func (s System) commit(ctx context.Context, folder string) string {
	for _, name := range commitVariables {
		if value := s.Getenv(name); ci.IsCommit(value) {
			return value
		}
	}
	if folder == "" {
		return ""
	}
	out, err := process.Command(ctx, process.Options{Path: "git", Args: []string{"rev-parse", "HEAD"}, Dir: folder, Env: s.Environ, Timeout: gitTime})
	if err != nil {
		return "" // No git, or no repository: then there is no commit.
	}
	text := string(out.Stdout)
	for len(text) > 0 && text[len(text)-1] <= ' ' {
		text = text[:len(text)-1]
	}
	if !ci.IsCommit(text) {
		return ""
	}
	return text
}

// commitOf is the commit of a service: that of a repository which the node fetched, else
// that of the checkout.
func (r run) commitOf(ctx context.Context, s service) string {
	if fetched := s.context.Fetched; fetched != nil {
		if ci.IsCommit(fetched.Pin) {
			return fetched.Pin
		}
		return ""
	}
	return r.commit(ctx, s.context.Folder)
}

// runID names the run that all legs belong to: --run, else what the CI says, else the
// commit. It is empty where nobody knows. What cannot be part of a tag is hashed.
func (s System) runID(said, commit string) (string, error) {
	if said != "" {
		if !ci.IsRun(said) {
			return "", &UsageError{fmt.Errorf("--run %s: it becomes part of a tag", said), "use at most 64 letters, digits, dots, dashes and underscores"}
		}
		return said, nil
	}
	for _, name := range runVariables {
		value := s.Getenv(name)
		switch {
		case value == "":
		case ci.IsRun(value):
			return value, nil
		default:
			return fmt.Sprintf("%x", sha256.Sum256([]byte(value)))[:32], nil
		}
	}
	return commit, nil
}
