package archbuild

import (
	"cmp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

// doubtOffline adds what nobody knows offline. A rule, a lock, and the prefix of
// --bases prefix need no proof, and for the platform that the template was
// written for it may stay as it was written.
func (k knowledge) doubtOffline(rules resolve.Rules) {
	home := cmp.Or(rules.Default, platform.Platform{OS: "linux", Arch: "amd64"})
	for q, answer := range k.answers {
		ruled := slices.ContainsFunc(rules.List, func(r resolve.Rule) bool { return r.Source == answer.Rule })
		if answer.Digest != "" || ruled || rules.Mode == resolve.Keep || q.Platform == home {
			continue
		}
		open := answer.Undecided || answer.Kept
		if strings.Contains(q.Image, "@") {
			k.doubts[q] = doubt{
				text: "it stays: offline nobody knows which platforms this digest is for", unproven: true,
				hint: "leave --offline out, or map it: --base " + q.Image + "=NEW",
			}
		} else if open {
			hint := "leave --offline out, map it with --base, or take official prefixes with --bases prefix"
			if answer.Kept {
				hint = "leave --offline out, or map it with --base"
			}
			k.doubts[q] = doubt{
				text: "it stays: offline nobody knows which platforms it is for", unproven: true, harmless: true, hint: hint,
			}
		}
	}
}
