package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/moby/buildkit/client"
)

// PruneOptions say what of the engine's cache is to go, in BuildKit's terms.
type PruneOptions struct {
	// All takes BuildKit's own records too: frontends, internal ones, those that
	// other records share.
	All bool
	// Filters name the records, in containerd's form ("type==exec.cachemount");
	// one of them has to fit. Empty: every record.
	Filters []string
	// KeepDuration keeps what was used within it.
	KeepDuration time.Duration
	// MaxUsedSpace stops when no more than that is used, ReservedSpace is never
	// gone below, MinFreeSpace stops when the disk has that much free; bytes.
	MaxUsedSpace, ReservedSpace, MinFreeSpace int64
}

// Freed is what has gone.
type Freed struct {
	Size  int64 `json:"size"`
	Count int   `json:"count"`
}

// Prune has the engine remove from its cache what the options name and nothing
// uses. Builds that run keep what they need.
func (h *Handle) Prune(ctx context.Context, o PruneOptions) (Freed, error) {
	opts := []client.PruneOption{
		client.WithFilter(o.Filters),
		client.WithKeepOpt(o.KeepDuration, o.ReservedSpace, o.MaxUsedSpace, o.MinFreeSpace),
	}
	if o.All {
		opts = append(opts, client.PruneAll)
	}
	gone := make(chan client.UsageInfo)
	done := make(chan error, 1)
	go func() {
		done <- h.Client.Prune(ctx, gone, opts...)
		close(gone)
	}()
	var freed Freed
	for r := range gone {
		freed.Size += r.Size
		freed.Count++
	}
	if err := <-done; err != nil {
		return freed, fmt.Errorf("pruning the engine's cache: %w", err)
	}
	return freed, nil
}

// ParseFilters reads --filter as buildx has it, key=value (type=…, id=…, until=
// with a time span), all of which have to fit, or as buildctl has it, containerd's
// own form (type==…), each by itself. What until says is the answer's keep. A
// filter that could fit nothing is an error.
func ParseFilters(texts []string) (list []string, keep time.Duration, err error) {
	var together []string
	for _, text := range texts {
		key, value, hasValue := strings.Cut(text, "=")
		switch {
		case key == "until" && hasValue:
			if keep, err = time.ParseDuration(value); err != nil || keep < 0 {
				return nil, 0, fmt.Errorf("%q: until takes a time span, for example until=24h", text)
			}
			continue
		case strings.HasPrefix(value, "="):
			list = append(list, text)
		case key == "id":
			together = append(together, "id~="+value)
		case !hasValue:
			together = append(together, text)
		case strings.HasSuffix(key, "!"), strings.HasSuffix(key, "~"):
			together = append(together, key+"="+quoted(value))
		default:
			together = append(together, key+"=="+quoted(value))
		}
		if err := checkFilter(strings.TrimRight(key, "!~"), hasValue); err != nil {
			return nil, 0, fmt.Errorf("%q: %w", text, err)
		}
	}
	if len(together) > 0 {
		list = append(list, strings.Join(together, ","))
	}
	if _, err := filters.ParseAll(list...); err != nil {
		return nil, 0, err
	}
	return list, keep, nil
}

// quoted puts a value with spaces between quotes, which containerd's form wants.
func quoted(value string) string {
	if strings.ContainsRune(value, ' ') && !strings.HasPrefix(value, `"`) {
		return strconv.Quote(value)
	}
	return value
}

// checkFilter says whether BuildKit's records have the key, with a value or as a
// mark that is there or not.
func checkFilter(key string, hasValue bool) error {
	valued := []string{"id", "type", "description", "parents", "until"}
	marks := []string{"inuse", "mutable", "immutable", "shared", "private"}
	switch near := nearest.Word(key, append(valued, marks...)); {
	case slices.Contains(valued, key) && !hasValue:
		return fmt.Errorf("%s takes a value", key)
	case slices.Contains(marks, key) && hasValue:
		return fmt.Errorf("%s takes no value", key)
	case slices.Contains(valued, key), slices.Contains(marks, key):
		return nil
	case near != "":
		return fmt.Errorf("no such key; did you mean %s?", near)
	}
	return errors.New("no such key")
}
