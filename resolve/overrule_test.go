package resolve_test

import (
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
)

func TestTheCommandLineGoesBeforeACommentAboutTheImageThatItNames(t *testing.T) {
	arm64 := platform.MustParse("arm64")
	file := func(text string) resolve.Rule {
		r, err := resolve.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		r.CommandLine, r.Source = false, "archbuild.yaml:1"
		return r
	}
	flag := func(text string) resolve.Rule {
		r := file(text)
		r.CommandLine, r.Source = true, "--base"
		return r
	}
	for _, row := range []struct {
		name       string
		rules      []resolve.Rule
		skip, want bool
	}{
		{"the reference", []resolve.Rule{flag("debian:12-slim=x/a:1")}, false, true},
		{"the repository, in another form", []resolve.Rule{flag("docker.io/library/debian=x/a")}, false, true},
		{"a glob of its tags", []resolve.Rule{flag("debian:*-slim=x/a:*")}, false, true},
		{"a glob that fits many images", []resolve.Rule{flag("deb*=x/deb*")}, false, false},
		{"a regular expression", []resolve.Rule{flag("~docker.io/(.*)=mirror.example/$1")}, false, false},
		{"another image", []resolve.Rule{flag("alpine=x/a")}, false, false},
		{"another platform", []resolve.Rule{flag("debian=x/a@linux/s390x")}, false, false},
		{"this platform", []resolve.Rule{flag("debian=x/a@linux/arm64")}, false, true},
		{"a skip yields to no rule for all platforms", []resolve.Rule{flag("debian=x/a")}, true, false},
		{"a skip yields to a rule for the platform", []resolve.Rule{flag("debian=x/a@linux/arm64")}, true, true},
		{"a rule of archbuild.yaml", []resolve.Rule{file("debian:12-slim=x/a:1")}, false, false},
		{"a flag that does not decide", []resolve.Rule{flag("debian=x/a"), file("debian:12-slim=x/b:1")}, false, false},
	} {
		if got := (resolve.Rules{List: row.rules}).Overruling()("debian:12-slim", arm64, row.skip); got != row.want {
			t.Errorf("%s: got %v", row.name, got)
		}
	}
}
