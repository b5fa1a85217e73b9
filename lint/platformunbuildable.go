package lint

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// emulatedToo are architectures that qemu runs programs of and that no image is
// published for, so they have no names in platform.
var emulatedToo = []string{"mips", "mipsle", "mips64", "ppc64"}

// platformUnbuildable tells of platforms in archbuild.yaml that nothing builds for.
func platformUnbuildable(s *subject) {
	for _, c := range s.Configured {
		p := c.Platform
		if s.native(p) || emulatable(p) {
			continue
		}
		s.add(Finding{
			ID: "platform-unbuildable", Severity: Error, File: c.File, Line: c.Line, Platforms: []platform.Platform{p},
			Message: fmt.Sprintf("nothing can build %s: no node is known that is native for it, and there is no emulator", p),
			Fix:     fmt.Sprintf("take it out of platforms, or name a BuildKit that runs on %s with --node ADDRESS,platform=%s", p, p),
		})
	}
}

// emulatable tells whether an emulator for a platform exists anywhere.
func emulatable(p platform.Platform) bool {
	return p.OS == "linux" && (p.Names().QEMU != "" || slices.Contains(emulatedToo, p.Arch))
}
