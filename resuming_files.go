package archbuild

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/internal/treesum"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// contentsOf is the digest of all files that a job's build can see: those of the context
// that its ignore file leaves, and those of named contexts. Files are looked at no earlier
// than at notBefore.
func (r run) contentsOf(ctx context.Context, s service, p plan.Plan, job plan.Job, notBefore time.Time) (inputDigest, error) {
	digests, stamps := map[string]digest.Digest{}, map[string]digest.Digest{}
	switch {
	case s.context.Folder == "": // An archive by its digest, what a node has fetched by its pin.
		digests["."] = digest.FromString(s.context.Source())
	default:
		list, err := r.listed(ctx, s.context.Folder, s.of(job.Platform).ignore, append(rewrites(s, p), r.recordNames(s)...), notBefore)
		if err != nil {
			return inputDigest{}, &wrong.Read{What: "the context", Err: err}
		}
		digests["."], stamps["."] = list.Digest.Digest(), list.Stamp.Digest()
	}
	for _, name := range slices.Sorted(maps.Keys(r.folders)) {
		list, err := r.listed(ctx, r.folders[name], nil, nil, notBefore)
		if err != nil {
			return inputDigest{}, &wrong.Read{What: "the context " + name, Err: err}
		}
		digests["named "+name], stamps["named "+name] = list.Digest.Digest(), list.Stamp.Digest()
		if isStage(s.of(job.Platform).template, job, name) {
			digests["times of "+name] = list.Times.Digest()
		}
	}
	sum, err := jsonDigest(digests)
	if err != nil {
		return inputDigest{}, err
	}
	stamp, err := jsonDigest(stamps)
	return inputDigest{sum, stamp}, err
}

// isStage says whether a named context is taken as a whole, for a stage or what a stage is
// made from. Then its files keep their times: there is no COPY whose cache knows better.
func isStage(t *template.Template, job plan.Job, context string) bool {
	context, _, _ = strings.Cut(context, "::")
	same := func(name string) bool {
		key, err := plan.ContextKey(name)
		return err == nil && key == context
	}
	return slices.ContainsFunc(t.Stages, func(stage template.Stage) bool { return same(stage.Name) }) ||
		slices.ContainsFunc(job.Stages, func(stage plan.Stage) bool { return same(stage.Base) })
}

// listed walks a folder as a node is offered it: without what the ignore file says, the
// folder of results and the files in without. A nil text is the folder's own.
func (r run) listed(ctx context.Context, folder string, text []byte, without []string, notBefore time.Time) (treesum.Listing, error) {
	if text == nil {
		var err error
		if text, err = ignore.Folder(folder); err != nil {
			return treesum.Listing{}, err
		}
	}
	matcher, err := ignore.Matcher(ignore.File, text)
	if err != nil {
		return treesum.Listing{}, err
	}
	results := r.resultsIn(folder)
	tree := treesum.Tree{
		Folder: folder, Ignore: matcher, Memory: r.filesOf(folder, text),
		LeftOut: func(name string, info fs.FileInfo) bool {
			return name == results && info.IsDir() || slices.Contains(without, name) && !info.IsDir()
		},
	}
	key := fmt.Sprintf("%q %q %q", folder, text, without)
	return r.resuming.contents.list(ctx, key, tree, notBefore, func() { r.renewFolder(folder) })
}

// resultsIn is the folder of results as a folder has it; empty when it lies elsewhere.
func (r run) resultsIn(folder string) string {
	out, err := filepath.Abs(resultsFolder)
	if err != nil {
		return ""
	}
	name, err := filepath.Rel(folder, out)
	if err != nil || !filepath.IsLocal(name) {
		return ""
	}
	return filepath.ToSlash(name)
}

// filesOf is where it is remembered what the files of a folder hold.
func (r run) filesOf(folder string, ignored []byte) string {
	if r.DryRun { // which leaves nothing behind
		return ""
	}
	name := sha256.Sum256(fmt.Appendf(nil, "%q %q", folder, ignored))
	return filepath.Join(string(r.store.Files), fmt.Sprintf("%x", name))
}

// contents are the folders that a run has walked, each once before anything is built.
type contents struct {
	mu    sync.Mutex
	lists map[string]contentList
}

type contentList struct {
	began time.Time
	treesum.Listing
}

// list walks a folder, unless that was done since notBefore. It calls hidden where there are
// changes that sizes and times do not tell.
func (c *contents) list(ctx context.Context, key string, tree treesum.Tree, notBefore time.Time, hidden func()) (treesum.Listing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.lists[key]; ok && !known.began.Before(notBefore) {
		return known.Listing, nil
	}
	began := time.Now()
	found, err := tree.List(ctx)
	if err != nil {
		return found, err
	}
	if found.Hidden {
		hidden()
	}
	found.Entries = nil // only the sums are of use
	if c.lists == nil {
		c.lists = map[string]contentList{}
	}
	c.lists[key] = contentList{began, found}
	return found, nil
}
