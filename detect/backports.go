package detect

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Backport is a package of a distribution in which holes are closed that its
// upstream version has.
type Backport struct {
	// Distribution as people call it: Debian 12.
	Distribution string
	// Package is the first version of the package that has the fix. Later ones have
	// it, too: those that differ in the last number alone.
	Package string
	// Closes are the CVE numbers.
	Closes []string
	// Source is the advisory that says so.
	Source string
}

// runcBackports are the packages of runc with fixes that their upstream version lacks.
// Packages that took a newer upstream version instead (Ubuntu since 24.04, Fedora,
// Alpine, SUSE) need no row. What is in no row is not closed: a fix that nobody can name
// is none. Debian 13 (1.1.15+ds1) had closed nothing when this was written.
var runcBackports = []Backport{
	{"Debian 11", "1.0.0~rc93+ds1-5+deb11u3", []string{"CVE-2024-21626"}, "DSA-5615-1"},
	{"Debian 12", "1.1.5+ds1-1+deb12u1", []string{"CVE-2024-21626"}, "DSA-5615-1"},
	{"Ubuntu 18.04", "1.1.4-0ubuntu1~18.04.2+esm1", []string{"CVE-2024-21626"}, "USN-6619-1"},
	{"Ubuntu 20.04", "1.1.7-0ubuntu1~20.04.2", []string{"CVE-2024-21626"}, "USN-6619-1"},
	{"Ubuntu 22.04", "1.1.7-0ubuntu1~22.04.2", []string{"CVE-2024-21626"}, "USN-6619-1"},
	{"Ubuntu 23.10", "1.1.7-0ubuntu2.2", []string{"CVE-2024-21626"}, "USN-6619-1"},
}

// RuncBackports lists the packages of distributions in which holes of runc are closed.
func RuncBackports() []Backport { return slices.Clone(runcBackports) }

// backported says of a package which holes it has closed.
func backported(packaged string) []string {
	var closed []string
	for _, b := range runcBackports {
		stem, since, _ := cutRevision(b.Package)
		if s, revision, ok := cutRevision(packaged); ok && s == stem && revision >= since {
			closed = append(closed, b.Closes...)
		}
	}
	return closed
}

var lastNumber = regexp.MustCompile(`^(.*\D)(\d+)$`)

// cutRevision splits off the number that a distribution counts up when it mends a
// package without taking a newer version.
func cutRevision(s string) (stem string, revision int, ok bool) {
	m := lastNumber.FindStringSubmatch(s)
	if m == nil {
		return "", 0, false
	}
	revision, err := strconv.Atoi(m[2])
	return m[1], revision, err == nil
}

// BuildKitFloor is the first BuildKit without the holes that a Dockerfile reaches.
const BuildKitFloor = "v0.31.1"

// buildkitAdvisories are of those holes; BuildKit's own security advisories.
var buildkitAdvisories = []string{"GHSA-7236-3392-c5c6", "GHSA-72x6-4j93-7w86"}

// OfBuildKit tells what is known to be open in a BuildKit of a version, as the server
// says it: v0.31.0, 0.13.2+azure. It is pure. known is false for what is no version;
// warning is nil where nothing is open.
func OfBuildKit(version string) (warning *Warning, known bool) {
	a, ok := numbers(version)
	floor, _ := numbers(BuildKitFloor)
	older := slices.Compare(a[:], floor[:])
	older = cmp.Or(older, -strings.Count(version, "-rc"))
	if !ok || older >= 0 {
		return nil, ok
	}
	return &Warning{
		Advisories: slices.Clone(buildkitAdvisories),
		Text:       "BuildKit " + version + " has holes that Dockerfiles reach: " + strings.Join(buildkitAdvisories, ", "),
		Hint:       "run BuildKit " + BuildKitFloor + " or later on it",
	}, true
}

// numbers are the three of a version.
func numbers(version string) (n [3]int, ok bool) {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	core, _, _ = strings.Cut(core, "+")
	parts := strings.Split(core, ".")
	if len(parts) != len(n) {
		return n, false
	}
	for i, part := range parts {
		value, err := strconv.Atoi(part)
		if err != nil {
			return n, false
		}
		n[i] = value
	}
	return n, true
}
