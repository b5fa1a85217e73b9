package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/run"
)

// RuncFacts is a container runtime that works.
type RuncFacts struct {
	Path string `json:"path"`
	// Version as it says itself: 1.1.5+ds1, 1.3.3-0ubuntu1.
	Version string `json:"version"`
	// Warnings are the known ways out of a container that are open in it.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Warning is something that works and should not be trusted.
type Warning struct {
	// Advisories are the CVE numbers behind it.
	Advisories []string `json:"advisories,omitempty"`
	// Text says what is wrong, Hint the one thing to do.
	Text string `json:"text"`
	Hint string `json:"hint"`
}

// NotRuncError says that a program is no runc that BuildKit could use.
type NotRuncError struct {
	Path string
	// Says is the first line of what it printed as its version.
	Says string
}

func (e *NotRuncError) Error() string {
	return fmt.Sprintf("%s is not runc: its version is %q", e.Path, e.Says)
}

// Hint is the way out. Other runtimes lack `run --keep` (crun 1.8.1 does).
func (e *NotRuncError) Hint() string { return "install runc, or name one with --runc" }

// programDirs are searched where PATH is not enough.
var programDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// advisory is a group of holes and the first version without them of every
// line that got a fix, ascending.
type advisory struct {
	cves  []string
	fixed []string
}

// Source: the security advisories of opencontainers/runc.
var advisories = []advisory{
	{
		cves:  []string{"CVE-2024-21626"},
		fixed: []string{"1.1.12"},
	},
	{
		cves:  []string{"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"},
		fixed: []string{"1.2.8", "1.3.3", "1.4.0-rc.3"},
	},
	{
		cves:  []string{"CVE-2026-41579"},
		fixed: []string{"1.3.6", "1.4.3", "1.5.0"},
	},
}

// runcFloor is said in hints: versions without any of the holes above.
const runcFloor = "1.3.6, 1.4.3, 1.5.0"

var (
	runcVersion = regexp.MustCompile(`(?m)^runc version (\S+)`)
	runcCommit  = regexp.MustCompile(`(?m)^commit: (\S+)`)
)

// Runc asks a runc for its version and tells what is known to be open in it.
// An empty path is looked up in PATH and where distributions put it. The error
// is exec.ErrNotFound, a *NotRuncError or a *run.Error (errors.Is, errors.As).
func Runc(ctx context.Context, path string) (RuncFacts, error) {
	return Options{Runc: path}.findRunc(ctx)
}

func (o Options) findRunc(ctx context.Context) (RuncFacts, error) {
	path, err := o.runcPath()
	if err != nil {
		return RuncFacts{}, err
	}
	result, err := run.Command(ctx, run.Options{Path: path, Args: []string{"--version"}, Timeout: 10 * time.Second, MaxOutput: 64 << 10})
	if err != nil {
		return RuncFacts{}, fmt.Errorf("asking runc for its version: %w", err)
	}
	m := runcVersion.FindSubmatch(result.Stdout)
	if m == nil {
		says, _, _ := strings.Cut(string(result.Stdout), "\n")
		return RuncFacts{}, &NotRuncError{Path: path, Says: says}
	}
	facts := RuncFacts{Path: path, Version: string(m[1])}
	packaged := facts.Version // Ubuntu's says it there, Debian's as its commit
	if m := runcCommit.FindSubmatch(result.Stdout); m != nil && parseVersion(string(m[1])).packaged {
		packaged = string(m[1])
	}
	facts.Warnings = runcWarnings(facts.Version, packaged)
	return facts, nil
}

func (o Options) runcPath() (string, error) {
	if o.Runc != "" {
		return o.Runc, nil
	}
	if o.Real() {
		path, err := exec.LookPath("runc")
		if err == nil {
			return path, nil
		}
		if !o.Rootless {
			return "", fmt.Errorf("looking for runc: %w", err)
		}
	}
	// A tree that is not this machine's has no PATH, and the PATH of plain users
	// leaves out the folders of root's programs.
	for _, dir := range programDirs {
		if path, err := exec.LookPath(o.Path(filepath.Join(dir, "runc"))); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("looking for runc: %w", exec.ErrNotFound)
}

func runcWarnings(version, packaged string) []Warning {
	var open []string
	closed := backported(packaged)
	for _, a := range advisories {
		if a.isFixed(version) {
			continue
		}
		for _, cve := range a.cves {
			if !slices.Contains(closed, cve) {
				open = append(open, cve)
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	text := fmt.Sprintf("runc %s lets a build step reach the host: %s", version, strings.Join(open, ", "))
	if parseVersion(version).packaged {
		text += " (no back-port to this package is known)"
	}
	return []Warning{{
		Advisories: open,
		Text:       text,
		Hint:       fmt.Sprintf("put a newer runc (%s) beside archbuild, or name it with --runc", runcFloor),
	}}
}

// isFixed: a line of versions that got a fix has it from there on, an older
// line without one has none, and every line above the highest has it.
func (a advisory) isFixed(version string) bool {
	v := parseVersion(version)
	for _, text := range a.fixed {
		if f := parseVersion(text); v.major == f.major && v.minor == f.minor {
			return v.compare(f) >= 0
		}
	}
	return v.compare(parseVersion(a.fixed[len(a.fixed)-1])) > 0
}

type runcRelease struct {
	major, minor, patch int
	// candidate is the number of a release candidate; a release is above all.
	candidate int
	// packaged says that a distribution added something to the version.
	packaged bool
}

const release = 1 << 30

var versionShape = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)(?:[-~]rc\.?(\d+))?(.*)$`)

// parseVersion reads what it can; what is no version is 0.0.0, older than all.
func parseVersion(s string) runcRelease {
	m := versionShape.FindStringSubmatch(strings.TrimPrefix(s, "v"))
	if m == nil {
		return runcRelease{}
	}
	v := runcRelease{candidate: release, packaged: m[5] != "" && m[5] != "+dev"}
	for i, field := range []*int{&v.major, &v.minor, &v.patch, &v.candidate} {
		if n, err := strconv.Atoi(m[i+1]); err == nil {
			*field = n
		}
	}
	return v
}

func (v runcRelease) compare(o runcRelease) int {
	return cmp.Or(cmp.Compare(v.major, o.major), cmp.Compare(v.minor, o.minor),
		cmp.Compare(v.patch, o.patch), cmp.Compare(v.candidate, o.candidate))
}

// isNotFound says whether an error of findRunc means there is none at all.
func isNotFound(err error) bool { return errors.Is(err, exec.ErrNotFound) }
