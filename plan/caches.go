package plan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// BuildKit finds the cache of a RUN --mount=type=cache by its id, and without one
// by the path alone: stages of amd64 and arm64 write into the same folder
// (https://github.com/moby/buildkit/issues/2598). A frontend's namespace comes
// before all ids of a job, those that the author wrote included, and it is a part of
// the cache key of a RUN whose mount has neither an id nor sharing=. So what runs
// on the build platform has none here: its steps stay the same ones for every platform.
// The builder puts the project's name before all of them, the same for every job.

// Caches says how the cache mounts of a stage are kept.
type Caches string

const (
	// SharedCaches are one for all stages on the build platform, whatever is built.
	SharedCaches Caches = "shared"
	// OwnCaches are those of the stage's platform alone.
	OwnCaches Caches = "apart"
	// NamedCaches are kept as ids in the file, or a namespace given by the user, say.
	NamedCaches Caches = "named"
)

// NamespaceArg is the build argument that BuildKit's frontend takes for a
// namespace of cache mounts. One that the user gives counts alone.
const NamespaceArg = "BUILDKIT_CACHE_MOUNT_NS"

// CacheID is an id for a cache mount that has none.
type CacheID struct {
	// Mount is the index in Template.CacheMounts.
	Mount int    `json:"-"`
	Line  int    `json:"line"`
	ID    string `json:"id"`
}

// plainTarget is a target that says the same when it stands in an id.
var plainTarget = regexp.MustCompile(`^(?:[A-Za-z0-9._/@+~-]|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\})+$`)

// IDFor is the id that keeps a platform's cache apart: arm64:/root/.cache. As in
// BuildKit two ways to write one path are one cache. There is none for a target
// that cannot be repeated in an id.
func IDFor(p platform.Platform, target string) (id string, ok bool) {
	if !plainTarget.MatchString(target) {
		return "", false
	}
	return p.Suffix() + ":" + path.Clean(target), true
}

// namespace is what comes before the ids of a platform's caches: nothing for the
// node's own.
func (req Request) namespace(p platform.Platform) string {
	if p == req.Build && (req.Runs == nil || req.Runs(p).How == Native) {
		return "" // --build-platform may name another one than the node's
	}
	return p.Suffix()
}

// caching are the cache mounts of one stage of a job.
type caching struct {
	stage *Stage
	// mounts are indexes in Template.CacheMounts.
	mounts []int
	// brought tells of further ones, in ONBUILD instructions of the base image.
	brought bool
}

// caching finds the stages of a job that have cache mounts.
func (req Request) caching(job *Job, mounts []template.CacheMount, uses []template.Use, answers Answers) []caching {
	var list []caching
	for i := range job.Stages {
		c := caching{stage: &job.Stages[i]}
		from := &uses[req.Template.Stages[c.stage.Index].Base]
		for j, m := range mounts {
			fires := m.Onbuild && from.Kind == template.StageKind && from.Target == m.Stage
			if fires || !m.Onbuild && m.Stage == c.stage.Index {
				c.mounts = append(c.mounts, j)
			}
		}
		for _, instruction := range req.triggers(from, answers) {
			text := strings.ToLower(instruction)
			c.brought = c.brought || strings.HasPrefix(text, "run") && strings.Contains(text, "type=cache")
		}
		if len(c.mounts) > 0 || c.brought {
			list = append(list, c)
		}
	}
	return list
}

// keepCaches decides how a job keeps its caches: by a namespace where all of them
// are the target platform's and none has an id, else by ids in the text.
func (req Request) keepCaches(job *Job, mounts []template.CacheMount, uses []template.Use, answers Answers) (notes []string) {
	list := req.caching(job, mounts, uses, answers)
	if _, given := job.Args[NamespaceArg]; given {
		for _, c := range list {
			c.stage.Caches = NamedCaches
		}
		if len(list) > 0 {
			notes = append(notes, "caches are kept as --build-arg "+NamespaceArg+" says")
		}
		return notes
	}
	whole := len(list) > 0
	for _, c := range list {
		whole = whole && c.stage.Platform == job.Platform && req.followsTarget(c.stage.Index, uses) &&
			!slices.ContainsFunc(c.mounts, func(m int) bool { return mounts[m].ID != "" })
	}
	if whole {
		job.CacheNamespace = req.namespace(job.Platform)
	}
	for _, c := range list {
		notes = append(notes, req.keepStage(job, c, mounts)...)
	}
	slices.SortFunc(job.CacheIDs, func(a, b CacheID) int { return a.Mount - b.Mount })
	return notes
}

// keepStage decides for one stage.
func (req Request) keepStage(job *Job, c caching, mounts []template.CacheMount) (notes []string) {
	namespace := req.namespace(c.stage.Platform)
	open := c.brought
	for _, m := range c.mounts {
		open = open || mounts[m].ID == ""
	}
	switch {
	case !open:
		c.stage.Caches = NamedCaches
	case namespace == "":
		c.stage.Caches = SharedCaches
	default:
		c.stage.Caches = OwnCaches
	}
	if namespace == "" || job.CacheNamespace != "" {
		return nil
	}
	if c.brought {
		notes = append(notes, req.leftShared(c.stage.Line, "what ONBUILD of the base image mounts"))
		c.stage.Caches = SharedCaches
	}
	for _, i := range c.mounts {
		m := mounts[i]
		id, ok := IDFor(c.stage.Platform, m.Target)
		switch {
		case m.ID != "":
			notes = append(notes, req.sharedID(m, c.stage.Platform)...)
		case !ok || m.Onbuild || m.Span == (template.Span{}):
			notes = append(notes, req.leftShared(m.Line, m.Target))
			c.stage.Caches = SharedCaches
		default:
			job.CacheIDs = append(job.CacheIDs, CacheID{Mount: i, Line: m.Line, ID: id})
		}
	}
	return notes
}

// followsTarget says whether a stage is one of the target platform for every
// target. One of a platform that is written out is the same in other jobs.
func (req Request) followsTarget(stage int, uses []template.Use) bool {
	for {
		s := &req.Template.Stages[stage]
		use := &uses[s.Base]
		if use.Kind != template.StageKind {
			return s.PlatformFlag == "" || strings.Contains(s.PlatformFlag, "TARGET")
		}
		stage = use.Target
	}
}

// sharedID tells of an id that is the author's, and says nothing of a platform.
func (req Request) sharedID(m template.CacheMount, p platform.Platform) []string {
	if strings.Contains(m.ID, "$") || strings.Contains(m.ID, p.Arch) {
		return nil
	}
	return []string{fmt.Sprintf("%s:%d: all platforms share the cache id=%s, as the file says; id=%[3]s-$TARGETARCH keeps them apart", req.Template.File, m.Line, m.ID)}
}

func (req Request) leftShared(line int, what string) string {
	return fmt.Sprintf("%s:%d: all platforms share the cache of %s: give it an id, id=NAME-$TARGETARCH keeps them apart", req.Template.File, line, what)
}

// CacheNote says in one line who shares a cache, if not all stages do.
func (p Plan) CacheNote() []string {
	var apart []string
	shared := ""
	for _, job := range p.Jobs {
		for _, stage := range job.Stages {
			name := stage.Platform.String()
			switch {
			case stage.Caches == SharedCaches && stage.Platform == job.BuildPlatform:
				shared = "; those on " + name + " share one"
			case stage.Caches == OwnCaches && !slices.Contains(apart, name):
				apart = append(apart, name)
			}
		}
	}
	if len(apart) == 0 {
		return nil
	}
	return []string{"caches without an id are kept apart: those on " + strings.Join(apart, ", ") + " are their own" + shared}
}

// LeaveCaches takes back what would be edited in the file of a job: another
// frontend reads it.
func (j *Job) LeaveCaches() (notes []string) {
	if len(j.CacheIDs) == 0 {
		return nil
	}
	for i := range j.Stages {
		if s := &j.Stages[i]; s.Caches == OwnCaches {
			s.Caches = SharedCaches
		}
	}
	j.CacheIDs = nil
	return []string{"all platforms share the caches without an id: the file is left as it is for another frontend; id=NAME-$TARGETARCH keeps them apart"}
}
