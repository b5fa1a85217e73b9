package archbuild

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// history is how long jobs took on which node, one small file for each service in the
// state folder. It is a hint to the scheduler: what cannot be read is not known.
type history struct{ dir string }

// times of a job by platform, then by node.
type times map[string]map[string]tookOnce

type tookOnce struct {
	Seconds float64 `json:"seconds"`
	// At is when it ended, in seconds since 1970.
	At int64 `json:"at"`
}

func (o Options) history() history { return history{string(o.world().Kept().Times)} }

// file is that of a service: by where its files come from and what is built of them.
func (h history) file(s service) string {
	from := s.context.Folder
	if s.context.Fetched != nil {
		from = s.context.from
	}
	return filepath.Join(h.dir, digest.FromString(from + "\x00" + s.file).Encoded()[:32]+".json")
}

func (h history) read(s service) times {
	var all times
	data, err := os.ReadFile(h.file(s))
	if err != nil || json.Unmarshal(data, &all) != nil {
		return times{}
	}
	return all
}

// of tells how long a job took on a node last time, and whether that node was the last
// one to build it: its cache is warm.
func (h history) of(s service, p platform.Platform, node string) (seconds float64, warm bool) {
	nodes := h.read(s)[p.String()]
	latest, last := int64(0), ""
	for name, took := range nodes {
		if took.At > latest || took.At == latest && name < last {
			latest, last = took.At, name
		}
	}
	return nodes[node].Seconds, last == node && last != ""
}

// note remembers what was built. Where most came from the cache the time says little, so
// an older one stays.
func (h history) note(s service, jobs []plan.Job, image *Image, outcomes []dispatch.Outcome, now time.Time) error {
	all := h.read(s)
	changed := false
	for i, job := range jobs {
		built := image.Platforms[i]
		if outcomes[i].Err != nil || built.Steps == 0 {
			continue
		}
		nodes := all[job.Platform.String()]
		if nodes == nil {
			nodes = map[string]tookOnce{}
			all[job.Platform.String()] = nodes
		}
		took := tookOnce{built.Seconds, now.Unix()}
		if before, known := nodes[job.Node]; known && built.Cached*2 > built.Steps {
			took.Seconds = before.Seconds
		}
		nodes[job.Node], changed = took, true
	}
	if !changed {
		return nil
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	return outside.WriteWhole(h.file(s), data)
}
