package archbuild

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

// What would give the Dockerfile more than --untrusted leaves it is refused by the flag's own name.
func TestWhatUntrustedExcludes(t *testing.T) {
	for flag, opts := range map[string]Options{
		"--allow":         {BuildFlags: BuildFlags{Allow: []string{"network.host"}}},
		"--network host":  {BuildFlags: BuildFlags{Network: "host"}},
		"--ssh":           {SSH: []string{"default"}},
		"--allow-syntax":  {AllowSyntax: []string{"other/frontend"}},
		"--cache":         {BuildFlags: BuildFlags{Cache: []string{"r.example/cache"}}},
		"--cache-to":      {BuildFlags: BuildFlags{CacheTo: []string{"type=inline"}}},
		"--cgroup-parent": {BuildFlags: BuildFlags{CgroupParent: "other"}},
	} {
		if _, err := opts.distrusting(); err != nil {
			t.Errorf("%s without --untrusted: %v", flag, err)
		}
		opts.Untrusted = true
		_, err := opts.distrusting()
		if wrong := new(wrong.Usage); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "--untrusted and "+flag+" exclude each other") {
			t.Errorf("%s: error %v", flag, err)
		}
	}
	quiet, err := Options{BuildFlags: BuildFlags{Untrusted: true}, Engine: outside.Engine{State: "/state"}}.distrusting()
	if err != nil || quiet.Network != "none" || quiet.State != filepath.Join("/state", "untrusted") {
		t.Errorf("network %q, state %q, error %v", quiet.Network, quiet.State, err)
	}
	if hint := (&SyntaxError{Frontend: "a/b", Untrusted: true}).Hint(); !strings.Contains(hint, "in place of --untrusted") {
		t.Errorf("the hint leads to a flag that is refused: %q", hint)
	}
}
