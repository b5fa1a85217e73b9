package ci

import "github.com/archbuild/archbuild/platform"

// Runners are labels of machines, by the platform that a leg is for. The zero
// platform stands for all that have no line of their own.
type Runners map[platform.Platform]string

// DefaultRunners are GitHub's: Arm machines for 64-bit and 32-bit Arm, and for all
// else the usual ones, which emulate or compile across.
func DefaultRunners() Runners {
	const usual, arm = "ubuntu-24.04", "ubuntu-24.04-arm"
	return Runners{
		{}:                                 usual,
		platform.MustParse("linux/arm64"):  arm,
		platform.MustParse("linux/arm/v7"): arm,
	}
}

// Of is the label for a platform.
func (r Runners) Of(p platform.Platform) string {
	if label, ok := r[p]; ok {
		return label
	}
	return r[platform.Platform{}]
}

// Over is r with the lines of others put over it. A line for all platforms takes the
// place of every line below it: who names one kind of machine means that one.
func (r Runners) Over(others Runners) Runners {
	merged := Runners{}
	if _, all := others[platform.Platform{}]; !all {
		for p, label := range r {
			merged[p] = label
		}
	}
	for p, label := range others {
		merged[p] = label
	}
	return merged
}
