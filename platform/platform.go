package platform

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is an operating system, an architecture and its variant, always in
// normal form: linux/arm64 (never arm64/v8), linux/arm/v7 (never a bare arm).
// It is comparable, so it can be a map key. The zero value is no platform.
type Platform struct {
	OS      string
	Arch    string
	Variant string
	// OSVersion is only ever set for Windows images.
	OSVersion string
}

// Parse reads any usual spelling: "linux/arm64/v8", "arm64", "aarch64",
// "linux/arm", "arm32v7", "amd64". What names no known platform is an *Error
// with the nearest known one as its hint.
func Parse(s string) (Platform, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return Platform{}, &Error{Input: s}
	}
	if p, ok := byOtherName[strings.ToLower(text)]; ok {
		return p, nil
	}
	spec, err := platforms.Parse(text)
	if err != nil {
		return Platform{}, &Error{Input: s}
	}
	if !strings.Contains(text, "/") && !knownArch(spec.Architecture) {
		return Platform{}, &Error{Input: s}
	}
	p := FromOCI(spec)
	if !p.known() {
		return Platform{}, &Error{Input: s}
	}
	return p, nil
}

// ParseList reads a comma-separated list, drops repetitions and keeps order.
func ParseList(s string) ([]Platform, error) {
	var list []Platform
	for _, word := range strings.Split(s, ",") {
		p, err := Parse(word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, nil
}

// MustParse is Parse for literals in tables and tests; it panics on an error.
func MustParse(s string) Platform {
	p, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return p
}

// FromOCI normalises the platform of an OCI descriptor or image config.
func FromOCI(spec ocispecs.Platform) Platform {
	n := platforms.Normalize(spec)
	return Platform{OS: n.OS, Arch: n.Architecture, Variant: n.Variant, OSVersion: spec.OSVersion}
}

// OCI is the platform as descriptors write it.
func (p Platform) OCI() ocispecs.Platform {
	return ocispecs.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant, OSVersion: p.OSVersion}
}

// Host is the platform this program was compiled for. The userland may be
// another one: package detect tells.
func Host() Platform {
	return FromOCI(ocispecs.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH})
}

// String is the one spelling archbuild prints: os/arch[/variant].
func (p Platform) String() string {
	if p.OS == "" {
		return ""
	}
	s := p.OS + "/" + p.Arch
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// MarshalText makes JSON hold the spelling of String.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is Parse.
func (p *Platform) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// Suffix is the ARCH of Dockerfile.ARCH: amd64, arm64, arm-v7; outside Linux
// the system comes first: windows-amd64.
func (p Platform) Suffix() string {
	s := p.Arch
	if p.Variant != "" {
		s += "-" + p.Variant
	}
	if p.OS != "linux" {
		s = p.OS + "-" + s
	}
	return s
}

// Compare orders platforms by their spelling, for sorted output.
func (p Platform) Compare(o Platform) int {
	return cmp.Or(cmp.Compare(p.String(), o.String()), cmp.Compare(p.OSVersion, o.OSVersion))
}

// Serves reports whether an image of platform p runs natively on a machine of
// platform want: the same one, a lower ARM variant (v6 on v7, 32-bit variants
// never on arm64 without saying so), 386 on amd64 not counted. It is what a
// base image must pass, so it is stricter than what a kernel can execute.
func (p Platform) Serves(want Platform) bool {
	if p.OS != want.OS || p.Arch != want.Arch {
		return false
	}
	if p.OSVersion != "" && want.OSVersion != "" && p.OSVersion != want.OSVersion {
		return false
	}
	if p.Variant == want.Variant {
		return true
	}
	switch p.Arch {
	case "arm", "amd64", "arm64":
		return rank(p) <= rank(want)
	}
	return p.Variant == "" || want.Variant == ""
}

// Better reports whether p fits want more closely than o, when both serve it.
func (p Platform) Better(o, want Platform) bool {
	if (p.Variant == want.Variant) != (o.Variant == want.Variant) {
		return p.Variant == want.Variant
	}
	return rank(p) > rank(o)
}

// rank turns a variant into its number; a missing one is the baseline of the
// architecture (amd64 v1, arm64 v8, arm v7).
func rank(p Platform) int {
	n := 0
	if _, err := fmt.Sscanf(p.Variant, "v%d", &n); err == nil {
		return n
	}
	return map[string]int{"amd64": 1, "arm64": 8, "arm": 7}[p.Arch]
}
