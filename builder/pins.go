package builder

import (
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	spb "github.com/moby/buildkit/sourcepolicy/pb"
)

// pins is the source policy that puts the images which were proven in the place
// of those that ONBUILD instructions name. They stand in the configs of bases,
// where nothing can be rewritten, or will stand in the image's own, where a
// digest would outlive this build. All other images are pinned in the Dockerfile
// or in a context, so a name in its plain form is an ONBUILD's.
func pins(job plan.Job) *spb.Policy {
	var rules []*spb.Rule
	add := func(name string, base plan.Base) {
		from, to := imageSource(name), imageSource(base.Pinned())
		if from == "" || to == "" || from == to {
			return
		}
		rules = append(rules, &spb.Rule{
			Action:   spb.PolicyAction_CONVERT,
			Selector: &spb.Selector{Identifier: from, MatchType: spb.MatchType_EXACT},
			Updates:  &spb.Update{Identifier: to},
		})
	}
	for _, base := range job.Bases {
		if base.Fires() {
			add(base.To, base) // mapped in the Dockerfile
		}
	}
	for _, base := range job.Onbuild {
		add(base.From, base)
	}
	if len(rules) == 0 {
		return nil
	}
	return &spb.Policy{Version: 1, Rules: rules}
}

// imageSource is how BuildKit names an image among its sources.
func imageSource(text string) string {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "" // not possible: it was resolved
	}
	return "docker-image://" + reference.TagNameOnly(named).String()
}

// contextPlatform is how BuildKit writes a platform when it looks for a named
// context of just that platform.
func contextPlatform(p platform.Platform) string {
	return platforms.Format(platforms.Normalize(p.OCI()))
}
