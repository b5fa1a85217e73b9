package ci_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/platform"
)

// planned is a plan of one service with two legs and one platform that is kept.
func planned(t *testing.T, args ...string) ci.Plan {
	t.Helper()
	kept, _ := sealed(t, armv7, nil)
	leg := func(p platform.Platform) ci.Leg {
		return ci.Leg{Name: ci.LegName("app", p), Platform: p, Runner: ci.DefaultRunners().Of(p), Args: append([]string{"app", "--platform", p.String()}, args...)}
	}
	return ci.Plan{Format: ci.PlanFormat, Run: "42", Commit: commit, Record: ci.Registry, Services: []ci.Service{{
		Name: "app", Path: "app", Inputs: kept.Inputs, Tags: []string{"registry.example/app:1"}, Platforms: []platform.Platform{amd64, arm64, armv7},
		Legs: []ci.Leg{leg(amd64), leg(arm64)}, Kept: []ci.Record{kept},
	}}}
}

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	want := planned(t)
	body, err := want.Write("json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ci.ReadPlan("plan.json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, broken := range map[string]string{
		"another tool's":   `{"version": 3}`,
		"half":             string(body[:len(body)/2]),
		"a platform twice": strings.Replace(string(body), `"linux/amd64",`, `"linux/arm64",`, 1),
		"a forged record":  strings.Replace(string(body), `"seconds": 12.345`, `"seconds": 1`, 1),
		"to come":          strings.Replace(string(body), `"format": 1`, `"format": 9`, 1),
		"17 MB":            string(body) + strings.Repeat(" ", 17<<20),
	} {
		if _, err := ci.ReadPlan("plan.json", strings.NewReader(broken)); !errors.As(err, new(*ci.PlanError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheMatrixOfGitHubIsOneLine(t *testing.T) {
	body, err := planned(t, "--label", "say=it's \"here\" $HOME\n<b>").Write("github")
	if err != nil || strings.Count(string(body), "\n") != 1 {
		t.Fatalf("%s %v", body, err)
	}
	var matrix struct {
		Include []struct{ Platform, Runner, Args, Name string }
	}
	if err := json.Unmarshal(body, &matrix); err != nil {
		t.Fatal(err)
	}
	got := matrix.Include[1]
	want := "app --platform linux/arm64 --label 'say=it'\\''s \"here\" $HOME\n<b>'"
	if got.Platform != "linux/arm64" || got.Runner != "ubuntu-24.04-arm" || got.Name != "app-linux-arm64" || got.Args != want {
		t.Errorf("%+v", got)
	}
	empty, err := ci.Plan{}.Write("github")
	if err != nil || string(empty) != "{\"include\":[]}\n" {
		t.Errorf("%s %v", empty, err)
	}
}

func TestMakeRunsNothingElse(t *testing.T) {
	body, err := planned(t, "--label", "price=$5").Write("make")
	if err != nil || !strings.Contains(string(body), "--label 'price=$$5'\n") || !strings.Contains(string(body), "\nci-app: ci-app-linux-amd64 ci-app-linux-arm64\n") {
		t.Errorf("%s %v", body, err)
	}
	if _, err := planned(t, "--label", "a\nall: ; rm -rf /").Write("make"); !errors.As(err, new(*ci.FormatError)) {
		t.Error(err)
	}
}

// TestNothingChanged: no leg writes the folder of records, so assembling is not told to look there.
func TestNothingChanged(t *testing.T) {
	p := planned(t)
	p.File, p.Record = "plan.json", "records"
	if got := strings.Join(p.Assemble(p.Services[0]), " "); !strings.HasSuffix(got, "--plan plan.json --run 42 records") {
		t.Error(got)
	}
	p.Services[0].Legs = nil
	if got := strings.Join(p.Assemble(p.Services[0]), " "); !strings.HasSuffix(got, "--plan plan.json --run 42") {
		t.Error(got)
	}
}

func TestTheServiceOfAPlanIsFoundByItsTags(t *testing.T) {
	p := planned(t)
	if _, found := p.Service(nil); !found {
		t.Error("the only one is not found")
	}
	p.Services = append(p.Services, ci.Service{Name: "web", Tags: []string{"registry.example/web:1"}})
	if s, found := p.Service([]string{"registry.example/web:1"}); !found || s.Name != "web" {
		t.Error(s, found)
	}
	if _, found := p.Service(nil); found {
		t.Error("which of two is it?")
	}
}

func TestRunnersAreChosenByPlatform(t *testing.T) {
	for _, row := range []struct {
		name string
		over ci.Runners
		want string
	}{
		{"GitHub's", nil, "ubuntu-24.04 ubuntu-24.04-arm ubuntu-24.04-arm"},
		{"one of our own", ci.Runners{arm64: "mine"}, "ubuntu-24.04 mine ubuntu-24.04-arm"},
		{"one for all", ci.Runners{{}: "self-hosted"}, "self-hosted self-hosted self-hosted"},
		{"one for all but one", ci.Runners{{}: "self-hosted", armv7: "pi"}, "self-hosted self-hosted pi"},
	} {
		runners := ci.DefaultRunners().Over(row.over)
		if got := strings.Join([]string{runners.Of(amd64), runners.Of(arm64), runners.Of(armv7)}, " "); got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

// TestASummaryIsTextAlone: what a stranger wrote into a record is no Markdown and no HTML.
func TestASummaryIsTextAlone(t *testing.T) {
	r, _ := sealed(t, arm64, func(r *ci.Record) { r.How = "<img src=x> | [a](http://evil.example)\n# head" })
	text := string(ci.Summary{Name: "app", Digest: r.Image.Digest, Commit: commit, Records: []ci.Record{r}}.Markdown([]string{"registry.example/app:1`x`"}))
	for _, bad := range []string{"<img", "[a]", "\n# head", "1`x"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in\n%s", bad, text)
		}
	}
	if rows := strings.Count(text, "\n| linux/arm64 |"); rows != 1 {
		t.Errorf("%d rows:\n%s", rows, text)
	}
}

// TestServicesOfAFileAreAssembledTogether: their tags move together, and so there is one call; without the plan's file each has its own.
func TestServicesOfAFileAreAssembledTogether(t *testing.T) {
	p := planned(t)
	p.Services = append(p.Services, ci.Service{Name: "web", Tags: []string{"registry.example/web:1"}, Platforms: p.Services[0].Platforms})
	for _, row := range []struct {
		file  string
		calls int
		has   map[string]string
	}{
		{"", 2, map[string]string{"gitlab": "\n\"web-assemble\":\n", "make": "\nci-web: \n\t$(ARCHBUILD) ci assemble -t registry.example/web:1 "}},
		{"plan.json", 1, map[string]string{"gitlab": "\n\"assemble\":\n  stage: assemble\n  script:\n    - \"archbuild ci assemble --plan plan.json registry\"\n", "make": "\nci-assemble: ci-app ci-web\n\t$(ARCHBUILD) ci assemble --plan plan.json registry\n"}},
	} {
		for format, text := range row.has {
			p.File = row.file
			body, err := p.Write(format)
			if err != nil || strings.Count(string(body), "ci assemble") != row.calls || !strings.Contains(string(body), text) {
				t.Errorf("%s with the file %q: %v\n%s", format, row.file, err, body)
			}
		}
	}
}
