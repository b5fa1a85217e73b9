package archbuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

func TestWhatMayHaveChangedElsewhereIsNotResumed(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	pinned := plan.Base{To: "debian:12", Digest: "sha256:" + strings.Repeat("a", 64)}
	for _, row := range []struct {
		what, dockerfile string
		run              run
		context          buildContext
		job              plan.Job
		want             string
	}{
		{what: "files of the context", dockerfile: "ADD a b.tar.gz /x/"},
		{what: "a file at an address", dockerfile: "ADD https://example.com/a /", want: "ADD in line 2 has no checksum"},
		{what: "a file at an address, in JSON", dockerfile: `ADD ["a", "http://example.com/a", "/"]`, want: "ADD in line 2"},
		{what: "a file with a checksum", dockerfile: "ADD --checksum=sha256:" + strings.Repeat("b", 64) + " https://example.com/a /"},
		{what: "a branch of a repository", dockerfile: "ADD https://example.com/a.git#main /", want: "ADD in line 2"},
		{what: "a repository by ssh", dockerfile: "ADD git@example.com:a.git /", want: "ADD in line 2"},
		{what: "a commit of a repository", dockerfile: "ADD https://example.com/a.git#" + commit + " /"},
		{what: "a part of a commit", dockerfile: "ADD https://example.com/a.git#" + commit[:12] + " /", want: "ADD in line 2"},
		{what: "a variable that may be an address", dockerfile: "ARG A=a\nADD $A /", want: "ADD in line 3"},
		{what: "a variable in a file's name", dockerfile: "ARG A=a\nADD dist/app-${A}.tar /"},
		{what: "a variable in an address", dockerfile: "ARG A=a\nADD https://example.com/${A} /", want: "ADD in line 3"},
		{what: "an address in quotes", dockerfile: `ADD "https://example.com/a" /`, want: "ADD in line 2"},
		{what: "an address in single quotes", dockerfile: `ADD 'https://example.com/a' /`, want: "ADD in line 2"},
		{what: "an address with an escaped letter", dockerfile: `ADD ht\tps://example.com/a /`, want: "ADD in line 2"},
		{what: "a checksum that is empty", dockerfile: "ARG SUM\nADD --checksum=$SUM https://example.com/a /", want: "ADD in line 3"},
		{what: "a checksum by a variable that the stage does not have", dockerfile: "ADD --checksum=$SUM https://example.com/a /", job: plan.Job{Args: map[string]string{"SUM": "sha256:b"}}, want: "ADD in line 2"},
		{what: "a checksum that ENV empties", dockerfile: "ENV SUM=\nARG SUM=sha256:b\nADD --checksum=${SUM} https://example.com/a /", want: "ADD in line 4"},
		{what: "a checksum by default", dockerfile: "ARG SUM=sha256:b\nADD --checksum=$SUM https://example.com/a /"},
		{what: "a checksum by a build argument", dockerfile: "ARG SUM\nADD --checksum=$SUM https://example.com/a /", job: plan.Job{Args: map[string]string{"SUM": "sha256:b"}}},
		{what: "a checksum with a variable in it", dockerfile: "ARG SUM\nADD --checksum=sha256:$SUM https://example.com/a /"},
		{what: "a time in seconds", dockerfile: "RUN true", job: plan.Job{Args: map[string]string{"SOURCE_DATE_EPOCH": "1000"}}},
		{what: "an address that a base adds, in JSON without spaces", job: plan.Job{Bases: []plan.Base{{To: "base", Digest: pinned.Digest, Triggers: []string{`ADD ["a","https://example.com/a","/"]`}}}}, want: "an ONBUILD ADD of base"},
		{what: "an address that a base adds, in quotes", job: plan.Job{Bases: []plan.Base{{To: "base", Digest: pinned.Digest, Triggers: []string{`ADD 'https://example.com/a' /`}}}}, want: "an ONBUILD ADD of base"},
		{what: "an address that a base adds", job: plan.Job{Bases: []plan.Base{{To: "base", Digest: pinned.Digest, Triggers: []string{"RUN true", "ADD https://example.com/a /"}}}}, want: "an ONBUILD ADD of base"},
		{what: "files that a base adds", job: plan.Job{Bases: []plan.Base{{To: "base", Digest: pinned.Digest, Triggers: []string{"ADD . /src"}}}}},
		{what: "an address in an ONBUILD", dockerfile: "ONBUILD ADD https://example.com/a /", want: "ONBUILD ADD in line 2"},
		{what: "an address in a stage that is not needed", dockerfile: "RUN true\nFROM scratch AS other\nADD https://example.com/a /"},
		{what: "a base with a digest", job: plan.Job{Bases: []plan.Base{pinned}}},
		{what: "a base without one", job: plan.Job{Bases: []plan.Base{pinned, {To: "own:1"}}}, want: "own:1 has no digest"},
		{what: "an image of an ONBUILD without one", job: plan.Job{Onbuild: []plan.Base{{To: "own:1"}}}, want: "own:1 has no digest"},
		{what: "a frontend", job: plan.Job{Frontend: "own/frontend:1"}, want: "# syntax=own/frontend:1 has no digest"},
		{what: "a frontend with a digest", job: plan.Job{Frontend: "own/frontend@" + pinned.Digest}},
		{what: "a scanner", run: run{sbom: &scanner{image: "own/scanner:1"}}, want: "the scanner own/scanner:1 has no digest"},
		{what: "a named context at an address", run: run{namedContexts: namedContexts{remote: map[string]string{"a": "https://me:secret@example.com/a.tar"}}}, want: "the context a names no commit: https://xxxxx@example.com/a.tar"},
		{what: "a named context that is a commit", run: run{namedContexts: namedContexts{remote: map[string]string{"a": "https://example.com/a.git#" + commit}}}},
		{what: "a named context that is an image", run: run{namedContexts: namedContexts{remote: map[string]string{"a": "docker-image://debian:12"}}}},
		{what: "a context of which the node cannot tell the commit", context: buildContext{Context: builder.Context{Fetched: &builder.Fetched{Remote: builder.Remote{Address: "https://example.com/a.git"}, Git: true}}}, want: "the node cannot tell which commit https://example.com/a.git is"},
		{what: "a time", job: plan.Job{Args: map[string]string{"SOURCE_DATE_EPOCH": "1000000000"}}},
		{what: "the time of the context", job: plan.Job{Args: map[string]string{"SOURCE_DATE_EPOCH": "context"}}, want: "SOURCE_DATE_EPOCH=context is a time"},
		{what: "a flag for caches", run: run{cacheTo: []builder.Cache{{Type: builder.CacheInline}}}, want: "--cache-to"},
		{what: "a flag for bases", run: run{Options: Options{Pull: true}}, want: "--pull"},
	} {
		parsed, err := template.Parse("Dockerfile", []byte("FROM scratch\n"+row.dockerfile+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", row.what, err)
		}
		row.job.Stages = []plan.Stage{{Index: 0}}
		s := service{source: source{template: parsed}, context: row.context}
		got := row.run.neverResumed(s, row.job)
		if row.want == "" && got != "" || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s: not resumed because %q, want %q", row.what, got, row.want)
		}
	}
}

func TestRecordsOfResultsAreBounded(t *testing.T) {
	s := keep.In(t.TempDir())
	recipe, now := digest.FromString("recipe"), time.Now()
	r := run{store: s}
	for days := range 10 {
		contents := digest.FromString(strings.Repeat("x", days))
		r.resultNotes(recipe).write(contents, resultNote{Platform: platform.MustParse("linux/arm64")})
		at := now.Add(-time.Duration(days) * 24 * time.Hour)
		if err := os.Chtimes(r.resultNotes(recipe).file(contents), at, at); err != nil {
			t.Fatal(err)
		}
	}
	s.Prune(now)
	left, err := filepath.Glob(filepath.Join(string(s.Results), "*", "*"))
	if err != nil || len(left) != 7 {
		t.Errorf("%d of 10 records are left after a week, %v", len(left), err)
	}
	r.resultNotes(digest.FromString("other")).forget()
	if _, ok := r.resultNotes(recipe).read(digest.FromString("")); !ok {
		t.Error("a record is gone with another recipe's")
	}
	r.resultNotes(recipe).forget()
	if _, ok := r.resultNotes(recipe).read(digest.FromString("")); ok {
		t.Error("a record is there after it was forgotten")
	}
}
