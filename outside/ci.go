package outside

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/ci"
	process "github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/wrong"
)

// commitVariables are where CI systems tell the commit that is built.
var commitVariables = []string{"GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT", "DRONE_COMMIT_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION"}

// runVariables are where they tell what all jobs of one run have in common.
var runVariables = []string{"GITHUB_RUN_ID", "CI_PIPELINE_ID", "BUILDKITE_BUILD_ID", "CIRCLE_WORKFLOW_ID", "BUILD_BUILDID", "BITBUCKET_PIPELINE_UUID", "DRONE_BUILD_NUMBER", "CI_PIPELINE_NUMBER", "BUILD_TAG"}

// gitTime is how long git may take to name a commit.
const gitTime = 10 * time.Second

// Commit is what is built of, by what the CI says, else by git; empty where neither
// knows.
func (s System) Commit(ctx context.Context, folder string) string {
	for _, name := range commitVariables {
		if value := s.Getenv(name); ci.IsCommit(value) {
			return value
		}
	}
	if folder == "" {
		return ""
	}
	out, err := process.Command(ctx, process.Options{Path: "git", Args: []string{"rev-parse", "HEAD"}, Dir: folder, Env: s.forGit(), Timeout: gitTime})
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

// gitVariables are what git needs to find a repository and to trust it.
var gitVariables = []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "XDG_CONFIG_HOME", "GIT_DIR", "GIT_WORK_TREE", "GIT_CEILING_DIRECTORIES",
	"GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}

// forGit is the environment of a git that names a commit. A repository's configuration can have
// git start programs: they see no token of this run.
func (s System) forGit() []string {
	return slices.DeleteFunc(slices.Clone(s.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains(gitVariables, name)
	})
}

// RunID names the run that all legs belong to: --run, else what the CI says, else the
// commit. It is empty where nobody knows. What cannot be part of a tag is hashed.
func (s System) RunID(said, commit string) (string, error) {
	if said != "" {
		if !ci.IsRun(said) {
			return "", &wrong.Usage{fmt.Errorf("--run %s: it becomes part of a tag", said), "use at most 64 letters, digits, dots, dashes and underscores"}
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
