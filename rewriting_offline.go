package archbuild

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// askNobody decides by rules alone. A rule, and the prefix of --bases prefix,
// count without proof. What nothing speaks of stays as it is; that it serves the
// platform is known only of the platform that the template was written for.
func askNobody(ctx context.Context, rules resolve.Rules, questions []resolve.Question) (knowledge, error) {
	known := knowledge{doubts: map[resolve.Question]doubt{}}
	if len(questions) == 0 {
		return known, nil
	}
	believer := believer{}
	for _, q := range questions {
		believer[q.Platform.String()] = q.Platform
	}
	var err error
	known.answers, known.notes, err = resolve.All(ctx, believer, rules, questions)
	for _, e := range leaves(err) {
		return knowledge{}, e // a believer has none: it is about the rules
	}
	home := cmp.Or(rules.Default, platform.Platform{OS: "linux", Arch: "amd64"})
	for q, answer := range known.answers {
		answer.Digest, answer.Onbuild, answer.Layers = "", nil, nil
		known.answers[q] = answer
		ruled := slices.ContainsFunc(rules.List, func(r resolve.Rule) bool { return r.Source == answer.Rule })
		if ruled || rules.Mode == resolve.Keep || q.Platform == home {
			continue
		}
		if _, digest, pinned := strings.Cut(q.Image, "@"); pinned {
			known.doubts[q] = doubt{
				text: "offline nobody knows what " + shortDigest(digest) + " is for",
				hint: "leave --offline out, or map it: --base " + q.Image + "=NEW",
			}
		} else if rules.Mode != resolve.Prefix {
			known.doubts[q] = doubt{
				text: "offline nobody knows whether " + q.Image + " serves it", harmless: true,
				hint: "leave --offline out, map it with --base, or take official prefixes with --bases prefix",
			}
		}
	}
	// The notes are about digests too, and say less.
	known.notes = slices.DeleteFunc(known.notes, func(n resolve.Warning) bool {
		_, doubted := known.doubts[n.Question]
		return doubted
	})
	return known, nil
}

func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	return digest[:min(len(digest), enough)]
}

// believer is a registry that has every image for each of its platforms, by
// their names: with it rules decide without proof. Its digests are none.
type believer map[string]platform.Platform

// Image gives one offer for each platform.
func (b believer) Image(context.Context, string) (resolve.Image, error) {
	var image resolve.Image
	for name, p := range b {
		image.Offers = append(image.Offers, resolve.Offer{Platform: p, Digest: name})
	}
	return image, nil
}

// Config is for the platform that was offered.
func (b believer) Config(_ context.Context, _, digest string) (resolve.Config, error) {
	return resolve.Config{Platform: b[digest]}, nil
}
