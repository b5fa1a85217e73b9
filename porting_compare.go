package archbuild

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

// compare builds this machine's platform from both files and holds the images against
// each other.
func (p *porting) compare(ctx context.Context) (*verify.Comparison, error) {
	at, err := p.locate(ctx, p.host)
	if err != nil {
		return nil, err
	}
	defer at.close()
	release, err := p.store.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	first, err := p.build(ctx, p.service, at)
	if err != nil {
		return nil, fmt.Errorf("building the Dockerfile as it is: %w", err)
	}
	second, err := p.build(ctx, p.ported, at)
	if err != nil {
		return nil, fmt.Errorf("building the ported Dockerfile: %w", err)
	}
	c, err := verify.Compare(ctx, first, second)
	return &c, err
}

// build makes the image of the node's own platform.
func (p *porting) build(ctx context.Context, s service, at place) (v1.Image, error) {
	r := p.run
	r.resuming, r.Cross = nil, crossOff
	s.targets = nil
	if err := r.target(&s, []platform.Platform{at.platform}); err != nil {
		return nil, err
	}
	roster, plans, err := r.choose(ctx, []service{s}, places{list: []place{at}})
	if err != nil {
		return nil, err
	}
	if err := r.askMoves([]service{s}, plans); err != nil {
		return nil, err
	}
	crew := roster.crew()
	defer crew.close()
	c := comparing{run: r, service: s, crew: crew}
	results, _, err := c.images(ctx, plans[0])
	if err != nil {
		return nil, err
	}
	return r.image(results[0])
}
