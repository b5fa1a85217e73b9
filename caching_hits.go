package archbuild

import "fmt"

// Hits say how much of the work on an image a cache has saved: the node's own or one of
// --cache-from.
type Hits struct {
	// Steps of all platforms, FROM left out. One that several platforms have in
	// common on a node, such as those of a stage on the build platform, counts once.
	Steps int `json:"steps"`
	// Cached are those that no platform had to run.
	Cached int `json:"cached"`

	shared bool // some steps were counted once for several platforms
}

func (h Hits) String() string {
	text := fmt.Sprintf("cache: %d of %d steps (%d %%)", h.Cached, h.Steps, 100*h.Cached/h.Steps)
	if h.shared {
		text += ", those in common counted once"
	}
	return text
}

// hits adds up the steps of all platforms; nil where there are none.
func (i Image) hits() *Hits {
	all, sum := map[string]bool{}, 0
	for _, b := range i.Platforms {
		sum += len(b.ran)
		for d, cached := range b.ran {
			step := b.Node + " " + d.String()
			before, seen := all[step]
			all[step] = cached && (before || !seen)
		}
	}
	if len(all) == 0 {
		return nil
	}
	h := &Hits{Steps: len(all), shared: len(all) < sum}
	for _, cached := range all {
		if cached {
			h.Cached++
		}
	}
	return h
}
