package archbuild

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// inquiry is what port asks of registries. Each image is asked for once, and a registry
// that does not answer not again.
type inquiry struct {
	ctx      context.Context
	from     resolve.Registry // nil when nobody may be asked
	wanted   []platform.Platform
	answered map[string]imageAnswer
}

// imageAnswer is what was said of an image.
type imageAnswer struct {
	image resolve.Image
	err   error
}

// inquiry begins to ask, for as long as lint would. The caller ends it.
func (p *porting) inquiry(ctx context.Context) (q *inquiry, end func()) {
	q = &inquiry{wanted: p.wanted(), answered: map[string]imageAnswer{}}
	if p.Offline {
		return q, func() {}
	}
	q.from = &impatient{Registry: p.asks(), silent: p.silent}
	q.ctx, end = context.WithTimeoutCause(ctx, lintPatience, errNoAnswer)
	return q, end
}

func (q *inquiry) image(name string) (resolve.Image, error) {
	known, ok := q.answered[name]
	if !ok {
		known.image, known.err = q.from.Image(q.ctx, name)
		q.answered[name] = known
	}
	return known.image, known.err
}

// images asks which platforms there are images for.
func (q *inquiry) images() func(string) ([]platform.Platform, bool) {
	if q.from == nil {
		return nil
	}
	return func(image string) ([]platform.Platform, bool) {
		found, err := q.image(image)
		if err != nil {
			_, away := unreached(err)
			return nil, !away && q.ctx.Err() == nil && !errors.Is(err, errNoAnswer)
		}
		var list []platform.Platform
		for _, o := range found.Offers {
			list = append(list, o.Platform)
		}
		return list, true
	}
}

// index finds the index that holds the image of a digest, under the name before it.
func (q *inquiry) index() func(string) (string, bool) {
	if q.from == nil {
		return nil
	}
	return func(image string) (string, bool) {
		name, digest, _ := strings.Cut(image, "@")
		found, err := q.image(name)
		if err != nil || !found.Index {
			return "", false
		}
		serves := func(want platform.Platform) bool {
			return slices.ContainsFunc(found.Offers, func(o resolve.Offer) bool { return o.Platform.Serves(want) })
		}
		if slices.ContainsFunc(q.wanted, func(want platform.Platform) bool { return !serves(want) }) {
			return "", false
		}
		return found.Digest, slices.ContainsFunc(found.Offers, func(o resolve.Offer) bool { return o.Digest == digest })
	}
}
