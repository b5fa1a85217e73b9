package builder

import (
	"context"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/gitutil"
	"github.com/moby/buildkit/util/gitutil/gitobject"
)

// openGit finds out which commit is meant, and has the node fetch that.
func (f *Fetched) openGit(ctx context.Context, c gateway.Client, g *dfgitutil.GitRef) error {
	found, err := resolve(ctx, c, f.gitState(g, g.Ref, g.Checksum), f.Dated)
	if err != nil {
		e := &FetchError{Address: f.Shown(), Git: true, Ref: g.Ref, SSH: f.SSHHost() != "", Err: err, secrets: f.secrets()}
		if e.Ref != "" { // does it answer at all?
			_, silent := resolve(ctx, c, f.gitState(g, "", ""), false)
			e.Answers = silent == nil
		}
		return e
	}
	reading := f.gitState(g, g.Ref, g.Checksum)
	if found != nil && found.Git != nil {
		if f.Pin = found.Git.CommitChecksum; f.Pin == "" {
			f.Pin = found.Git.Checksum
		}
		f.Time = commitTime(found.Git.CommitObject)
		reading = f.gitState(g, g.Ref, f.Pin) // What is read has to be that commit.
	}
	f.state = f.pinned(g)
	ref, err := solve(ctx, c, reading)
	if err != nil {
		return &FetchError{Address: f.Shown(), Git: true, Ref: g.Ref, Answers: true, Found: true, SubDir: g.SubDir, SSH: f.SSHHost() != "", Err: err, secrets: f.secrets()}
	}
	f.Files = newTree(nodeFiles{ctx, ref})
	return nil
}

// pinned is the repository as builds take it. They name the commit alone, and find it in the node's cache without
// asking anyone again.
func (f *Fetched) pinned(g *dfgitutil.GitRef) llb.State {
	switch {
	case f.Pin == "":
		return f.gitState(g, g.Ref, g.Checksum)
	case f.KeepGit || g.KeepGitDir != nil && *g.KeepGitDir:
		return f.gitState(g, g.Ref, f.Pin) // HEAD is to be what was asked for
	}
	return f.gitState(g, f.Pin, "")
}

// gitState is a repository, or its subfolder, at a ref, which has to be a certain commit if one is given.
func (r Remote) gitState(g *dfgitutil.GitRef, ref, commit string) llb.State {
	opts := []llb.GitOption{llb.GitRef(ref), llb.WithCustomName("[internal] load git source " + r.Shown())}
	if r.KeepGit || g.KeepGitDir != nil && *g.KeepGitDir {
		opts = append(opts, llb.KeepGitDir())
	}
	mtime := g.MTime
	if mtime == "" && r.CommitTimes {
		mtime = "commit"
	}
	// Of a subfolder BuildKit 0.33 cannot set the times: it looks for the commit in a
	// folder that it has removed by then. So the subfolder is taken afterwards.
	later := mtime == "commit" && g.SubDir != ""
	if g.SubDir != "" && !later {
		opts = append(opts, llb.GitSubDir(g.SubDir))
	}
	if commit != "" {
		opts = append(opts, llb.GitChecksum(commit))
	}
	if g.Submodules != nil && !*g.Submodules {
		opts = append(opts, llb.GitSkipSubmodules())
	}
	if mtime != "" {
		opts = append(opts, llb.GitMTime(mtime))
	}
	if g.FetchByCommit && ref == g.Ref {
		opts = append(opts, llb.GitFetchByCommit())
	}
	if r.KnownHosts != "" {
		opts = append(opts, llb.KnownSSHHosts(r.KnownHosts))
	}
	state := llb.Git(g.Remote, "", opts...)
	if later {
		return llb.Scratch().File(llb.Copy(state, g.SubDir, "/", &llb.CopyInfo{CopyDirContentsOnly: true}), llb.WithCustomName("[internal] take subfolder "+g.SubDir))
	}
	return state
}

// commitTime is when a commit was made; nil when that is not known.
func commitTime(object []byte) *time.Time {
	if len(object) == 0 {
		return nil
	}
	parsed, err := gitobject.Parse(object)
	if err != nil {
		return nil
	}
	commit, err := parsed.ToCommit()
	if err != nil {
		return nil
	}
	return commit.Committer.When
}

// GitHost is the host of a repository, with its port; empty for all else.
func (r Remote) GitHost() string {
	g, err := r.git()
	if err != nil || g == nil {
		return ""
	}
	u, err := gitutil.ParseURL(g.Remote)
	if err != nil {
		return ""
	}
	return u.Host
}

// Below is the address of a folder in the repository; with a commit it is that one's, whatever the ref is now.
func (r Remote) Below(folder, commit string) string {
	base, query, isQuery := strings.Cut(r.Address, "?")
	if !isQuery {
		base, fragment, _ := strings.Cut(r.Address, "#")
		ref, subdir, _ := strings.Cut(fragment, ":")
		if commit != "" {
			ref = commit
		}
		if subdir = path.Join(subdir, folder); subdir != "" && subdir != "." {
			ref += ":" + subdir
		}
		if ref == "" {
			return base
		}
		return base + "#" + ref
	}
	values, err := url.ParseQuery(query)
	if err != nil { // Check has refused it
		return r.Address
	}
	if commit != "" {
		values.Set("ref", commit)
		values.Del("tag")
		values.Del("branch")
	}
	if subdir := path.Join(values.Get("subdir"), folder); subdir != "." {
		values.Set("subdir", subdir)
	}
	return base + "?" + values.Encode()
}
