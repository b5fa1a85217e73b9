package resolve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-cmp/cmp"
)

// lockOf resolves images for amd64, arm64 and arm/v7, as far as they can be, and locks them.
func lockOf(t testing.TB, reg resolve.Registry, rules resolve.Rules, images ...string) (resolve.Lock, map[resolve.Question]resolve.Answer) {
	t.Helper()
	var questions []resolve.Question
	for _, image := range images {
		for _, on := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7"} {
			questions = append(questions, ask(image, on))
		}
	}
	answers, _, err := resolve.All(t.Context(), reg, rules, questions)
	if len(answers) == 0 {
		t.Fatal(err)
	}
	lock, err := resolve.NewLock(t.Context(), reg, answers)
	if err != nil {
		t.Fatal(err)
	}
	return lock, answers
}

func TestALockGivesTheSameAnswersAgain(t *testing.T) {
	s, pins := hub(t)
	list := rules(t, "", "vendor/tool=vendor/tool-arm@linux/arm64")
	lock, answers := lockOf(t, s.Client(), list, "debian:12", "debian", "docker.io/library/old:1", "older:1", "vendor/tool:2", "vague:1", pins["debian:12"])
	again, err := resolve.ParseLock("archbuild.lock", lock.Format())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock, again); diff != "" {
		t.Error(diff)
	}
	var questions []resolve.Question
	for q := range answers {
		questions = append(questions, q)
	}
	s.Push(t, "debian:12", "linux/amd64", "linux/arm64") // the tag moves
	for name, reg := range map[string]resolve.Registry{"over": again.Over(s.Client()), "only": again.Only(s.Client()), "alone": again.Only(nil)} {
		for _, offline := range []bool{false, true} {
			list.Offline = offline
			got, _, err := resolve.All(t.Context(), reg, list, questions)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for q, answer := range answers {
				if g := got[q]; g.Use != answer.Use || g.Digest != answer.Digest || !g.Locked || g.Undecided || !cmp.Equal(g.Onbuild, answer.Onbuild) {
					t.Errorf("%s, offline %v: %+v\nbecame %+v", name, offline, answer, g)
				}
			}
		}
	}
}

func TestALockFileIsEasyToCompare(t *testing.T) {
	s, _ := hub(t)
	lock, _ := lockOf(t, s.Client(), resolve.Rules{}, "old:1", "debian")
	var shape strings.Builder
	for line := range strings.Lines(string(lock.Format())) {
		before, _, _ := strings.Cut(line, "sha256:")
		if strings.HasPrefix(line, "    sum: ") {
			before = "    sum: "
		}
		shape.WriteString(strings.TrimRight(before, "\n") + "\n")
	}
	want := `# Written by archbuild lock. What each image was when it was locked.
version: 2
images:
  arm32v6/old:1:
    image: 
    linux/arm/v6: 
    linux/arm/v6 onbuild: ["COPY --from=debian:12 /etc/os-release /"]
    sum: 
  arm64v8/old:1:
    image: 
    linux/arm64: 
    linux/arm64 onbuild: ["COPY --from=debian:12 /etc/os-release /"]
    sum: 
  debian:latest:
    index: 
    linux/amd64: 
    linux/amd64 onbuild: ["COPY --from=debian:12 /etc/os-release /"]
    linux/arm64: 
    linux/arm64 onbuild: ["COPY --from=debian:12 /etc/os-release /"]
    sum: 
  old:1:
    image: 
    linux/amd64: 
    linux/amd64 onbuild: ["COPY --from=debian:12 /etc/os-release /"]
    sum: 
`
	if diff := cmp.Diff(want, shape.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotLocked(t *testing.T) {
	s, _ := hub(t)
	lock, _ := lockOf(t, s.Client(), resolve.Rules{}, "debian:12")
	q := ask("old:1", "linux/arm64")
	answers, _, err := resolve.All(t.Context(), lock.Over(s.Client()), resolve.Rules{}, []resolve.Question{q})
	if err != nil || answers[q].Use != "arm64v8/old:1" || answers[q].Locked {
		t.Errorf("%+v, %v", answers[q], err)
	}
	_, _, err = resolve.All(t.Context(), lock.Only(s.Client()), resolve.Rules{}, []resolve.Question{q})
	var missing *resolve.NotLockedError
	if !errors.As(err, &missing) || missing.Ref != "old:1" || !strings.Contains(missing.Hint(), "archbuild lock") {
		t.Error(err)
	}
	_, _, err = resolve.All(t.Context(), lock.Only(s.Client()), resolve.Rules{}, []resolve.Question{ask("debian:12", "linux/s390x")})
	var none *resolve.PlatformError
	if !errors.As(err, &none) || !none.Locked || !strings.Contains(none.Hint(), "archbuild lock PATH --update debian:12") {
		t.Error(err)
	}
}

func TestALockIsUpdatedInPart(t *testing.T) {
	s, _ := hub(t)
	lock, answers := lockOf(t, s.Client(), resolve.Rules{}, "debian:12", "old:1")
	s.Push(t, "debian:12", "linux/amd64", "linux/arm64")
	s.Push(t, "arm64v8/old:1", "linux/arm64")
	rest, err := lock.Without("docker.io/library/old:1")
	if err != nil {
		t.Fatal(err)
	}
	fresh, updated := lockOf(t, rest.Over(s.Client()), resolve.Rules{}, "debian:12", "old:1")
	for q, answer := range answers {
		same := updated[q].Digest == answer.Digest
		if moved := strings.HasPrefix(answer.Use, "arm64v8/"); same == moved {
			t.Errorf("%v: %s, was %s", q, updated[q].Digest, answer.Digest)
		}
	}
	if cmp.Equal(lock, fresh) || len(fresh.Images) != len(lock.Images) {
		t.Errorf("%s", fresh.Format())
	}
	if _, err := lock.Without("debian:13"); !errors.As(err, new(*resolve.NotLockedError)) {
		t.Error(err)
	}
	if _, err := lock.Without("DEBIAN"); !errors.As(err, new(*resolve.ReferenceError)) {
		t.Error(err)
	}
	// What is used no longer goes.
	if pruned, _ := lockOf(t, lock.Over(s.Client()), resolve.Rules{}, "debian:12"); len(pruned.Images) != 1 {
		t.Errorf("%s", pruned.Format())
	}
}

func TestWhatWasNotProvenIsNotLocked(t *testing.T) {
	q := ask("debian:12", "linux/arm64")
	answers, _, err := resolve.All(t.Context(), nil, resolve.Rules{Offline: true}, []resolve.Question{q})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resolve.NewLock(t.Context(), nil, answers); !errors.As(err, new(*resolve.NotLockedError)) {
		t.Error(err)
	}
}

// nobody is a registry that must not be asked.
type nobody struct{ t *testing.T }

func (n nobody) Image(context.Context, string) (resolve.Image, error) {
	n.t.Error("a registry was asked")
	return resolve.Image{}, errors.New("asked")
}

func (n nobody) Config(context.Context, string, string) (resolve.Config, error) {
	n.t.Error("a registry was asked")
	return resolve.Config{}, errors.New("asked")
}

func TestOfflineOnlyRulesAndTheLockDecide(t *testing.T) {
	s, pins := hub(t)
	lock, _ := lockOf(t, s.Client(), resolve.Rules{}, "debian:12", "old:1")
	for _, c := range []struct {
		why, image, on   string
		rules            resolve.Rules
		want, rule, warn string
	}{
		{"a rule", "vendor/tool:2", "linux/arm64", rules(t, "", "vendor/tool=vendor/arm"), "vendor/arm:2", "--base", ""},
		{"the lock", "debian:12", "linux/arm64", resolve.Rules{}, "debian:12", "index holds it", ""},
		{"a convention by the lock", "old:1", "linux/arm64", resolve.Rules{}, "arm64v8/old:1", "official prefix arm64v8/", ""},
		{"mode prefix", "nginx:1", "linux/arm64", resolve.Rules{Mode: resolve.Prefix}, "arm64v8/nginx:1", "official prefix arm64v8/", ""},
		{"mode prefix, not official", "vendor/x:1", "linux/arm64", resolve.Rules{Mode: resolve.Prefix}, "vendor/x:1", "kept: no official image", ""},
		{"mode prefix on the template's platform", "nginx:1", "linux/amd64", resolve.Rules{Mode: resolve.Prefix}, "nginx:1", "kept on the default platform", ""},
		{"mode keep", "nginx:1", "linux/arm64", resolve.Rules{Mode: resolve.Keep}, "nginx:1", "kept", ""},
		{
			"nothing", "nginx:1", "linux/arm64", resolve.Rules{}, "nginx:1", "kept: offline",
			"nginx:1 is kept for linux/arm64: offline, and neither a rule nor archbuild.lock says what serves it",
		},
		{
			"nothing for a digest", pins["debian:12"], "linux/arm64", resolve.Rules{}, pins["debian:12"], "kept: offline",
			pins["debian:12"] + " is kept for linux/arm64: offline nothing says whether its digest is that of an index",
		},
	} {
		for _, reg := range []resolve.Registry{lock.Over(nobody{t}), lock.Only(nobody{t})} {
			q := ask(c.image, c.on)
			c.rules.Offline = true
			answers, warnings, err := resolve.All(t.Context(), reg, c.rules, []resolve.Question{q})
			if got := answers[q]; err != nil || got.Use != c.want || got.Rule != c.rule || got.Undecided != (c.warn != "") {
				t.Errorf("%s: %+v, %v", c.why, got, err)
			}
			if got := fmt.Sprint(warnings); got != "["+c.warn+"]" {
				t.Errorf("%s: %s", c.why, got)
			}
		}
	}
	_, warnings, err := resolve.All(t.Context(), nobody{t}, resolve.Rules{Offline: true}, []resolve.Question{
		ask("nginx:1", "linux/arm64"), ask("nginx:1", "linux/s390x"), ask(pins["old:1"], "linux/amd64"),
	})
	var kinds []resolve.WarningKind
	for _, w := range warnings {
		kinds = append(kinds, w.Kind)
	}
	if diff := cmp.Diff([]resolve.WarningKind{resolve.Undecided, resolve.UndecidedPin}, kinds); diff != "" || err != nil {
		t.Error(err, diff, warnings)
	}
}

func TestALockFileThatIsNoneIsRefused(t *testing.T) {
	const head, one = "version: 1\nimages:\n", "  debian:12:\n    index: " + sum + "\n"
	for _, c := range []struct{ why, source, want string }{
		{"an empty file", "", `a.lock: "version: 2" and "images:" are missing`},
		{"a file of something else", "packages:\n", `a.lock:1: cannot read "packages:"`},
		{"a later shape", "version: 3\n", `a.lock:1: version "3" is not read`},
		{"marks of a merge", head + one + "<<<<<<< HEAD\n", `a.lock:5: cannot read "<<<<<<< HEAD"`},
		{"no reference", head + "  Debian:12:\n", `a.lock:3: "Debian:12" is no image reference`},
		{"a long form", head + "  docker.io/library/debian:12:\n", "is no image reference with a tag"},
		{"no tag", head + "  debian:\n", "is no image reference with a tag"},
		{"an image twice", head + one + one, "a.lock:5: debian:12 is there twice, first on line 3"},
		{"an image without digest", head + "  debian:12:\n" + one[:0] + "  debian:13:\n", "a.lock:4: debian:12 has no digest"},
		{"the last one without digest", head + "  debian:12:\n", "a.lock: debian:12 has no digest"},
		{"a platform before the digest", head + "  debian:12:\n    linux/amd64: " + sum + "\n", `a.lock:4: debian:12 needs "index:" or "image:" first`},
		{"a short digest", head + "  debian:12:\n    index: sha256:12\n", `a.lock:4: "sha256:12" is no sha256 digest`},
		{"two digests", head + one + "    image: " + sum + "\n", "a.lock:5: debian:12 has two digests"},
		{"an unknown platform", head + one + "    linux/arm46: " + sum + "\n", `a.lock:5: "linux/arm46" is no platform`},
		{"a platform twice", head + one + "    linux/arm64: " + sum + "\n    arm64: " + sum + "\n", "a.lock:6: arm64 is there twice"},
		{"an image with two platforms", head + "  a:1:\n    image: " + sum + "\n    linux/arm64: " + sum + "\n    linux/amd64: " + sum + "\n", "a:1 is a single image"},
		{"a pin with another digest", head + "  a@sha256:" + strings.Repeat("0", 64) + ":\n    index: " + sum + "\n", "has another digest than its name says"},
		{"onbuild of nothing", head + one + `    linux/amd64 onbuild: ["x"]` + "\n", "a.lock:5: onbuild stands under another line"},
		{"onbuild that is no list", head + one + "    linux/amd64: " + sum + "\n    linux/amd64 onbuild: x\n", "a.lock:6: onbuild is no list"},
		{"no text", "version: 1\nimages:\n  \xff:\n", "is no UTF-8"},
		{"too much", strings.Repeat("#", 5<<20), "larger than 4 MB"},
	} {
		_, err := resolve.ParseLock("a.lock", []byte(c.source))
		var bad *resolve.LockError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || bad.Hint() == "" {
			t.Errorf("%s: got %v, want %s", c.why, err, c.want)
		}
	}
}

func TestHostileLockFilesEndQuickly(t *testing.T) {
	const head = "version: 1\nimages:\n"
	var images, offers strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&images, "  a:%d:\n    index: %s\n", i, sum)
	}
	for i := range 30_000 {
		fmt.Fprintf(&offers, "    linux/arm/v%d: %s\n", i, sum)
	}
	for name, source := range map[string]string{
		"many images":    head + images.String(),
		"many platforms": head + "  a:1:\n    index: " + sum + "\n" + offers.String(),
		"one long line":  head + "  " + strings.Repeat("a/", 2<<20-20),
		"long onbuild":   head + "  a:1:\n    index: " + sum + "\n    linux/amd64: " + sum + "\n    linux/amd64 onbuild: " + strings.Repeat("[", 4<<20-300),
	} {
		start := time.Now()
		if _, err := resolve.ParseLock("a.lock", []byte(source)); err == nil {
			t.Errorf("%s: no error", name)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestALockFileIsReadWithOtherLineEnds(t *testing.T) {
	s, _ := hub(t)
	lock, _ := lockOf(t, s.Client(), resolve.Rules{}, "debian:12")
	crlf := "\ufeff" + strings.ReplaceAll(string(lock.Format()), "\n", "\r\n\r\n")
	again, err := resolve.ParseLock("a", []byte(crlf))
	if diff := cmp.Diff(lock, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
	empty, err := resolve.ParseLock("a", resolve.Lock{}.Format())
	if err != nil || len(empty.Images) != 0 {
		t.Error(err)
	}
}

func TestVersionsOfWindowsAreKeptApart(t *testing.T) {
	old := platform.Platform{OS: "windows", Arch: "amd64", OSVersion: "10.0.17763.1"}
	lock := resolve.Lock{Images: []resolve.LockedImage{{Ref: "win:1", Image: resolve.Image{
		Digest: sum, Index: true, Locked: true, Offers: []resolve.Offer{{Platform: old, Digest: sum}, {Platform: platform.Platform{OS: "windows", Arch: "amd64", OSVersion: "10.0.20348.5"}, Digest: sum}},
	}, Onbuild: map[string][]string{}}}}
	again, err := resolve.ParseLock("a", lock.Format())
	if diff := cmp.Diff(lock, again); diff != "" || err != nil {
		t.Errorf("%v %s\n%s", err, diff, lock.Format())
	}
}

// FuzzParseLock holds: what is read is written as a file that reads the same, and
// is written the same again.
func FuzzParseLock(f *testing.F) {
	for _, seed := range []string{
		"version: 1\nimages:\n  debian:12:\n    index: " + sum + "\n    linux/amd64: " + sum + "\n    linux/amd64 onbuild: [\"a\\n<b>\"]\n    windows(10.0.1)/amd64: " + sum + "\n",
		"version: 1\nimages:\n  a@" + sum + ":\n    image: " + sum + "\n    arm: " + sum + "\n",
		"version: 1\r\nimages: {}\r\n#\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, err := resolve.ParseLock("a", data)
		if err != nil {
			return
		}
		text := lock.Format()
		again, err := resolve.ParseLock("a", text)
		if diff := cmp.Diff(lock, again); diff != "" || err != nil {
			t.Fatalf("%v %s\n%s", err, diff, text)
		}
		if !bytes.Equal(text, again.Format()) {
			t.Errorf("%q, then %q", text, again.Format())
		}
		for _, image := range lock.Images {
			if got, ok := lock.Find(image.Ref); !ok || got.Ref != image.Ref {
				t.Errorf("%s is not found", image.Ref)
			}
		}
	})
}

func TestLockRemembersStagesThatFailedOnTheBuildPlatform(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	failure := resolve.CrossFailure{Dockerfile: "Dockerfile", Digest: digest, Stage: "build", Platform: platform.MustParse("linux/arm64"), Reason: `/app: found "linux/amd64"`}
	lock := resolve.Lock{}.WithCrossed([]resolve.CrossFailure{failure})
	read, err := resolve.ParseLock("archbuild.lock", lock.Format())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock.Crossed, read.Crossed); diff != "" {
		t.Error(diff)
	}
	other := failure
	other.Reason, other.Digest = "another", "sha256:"+strings.Repeat("b", 64)
	if again := read.WithCrossed([]resolve.CrossFailure{other}); len(again.Crossed) != 1 || again.Crossed[0].Reason != "another" {
		t.Errorf("the later failure does not take the place of the earlier one: %v", again.Crossed)
	}
	for name, line := range map[string]string{
		"no JSON":         "  - build",
		"another key":     `  - {"dockerfile":"Dockerfile","digest":"` + digest + `","stage":"build","platform":"linux/arm64","reason":"","command":"x"}`,
		"no digest":       `  - {"dockerfile":"Dockerfile","digest":"x","stage":"build","platform":"linux/arm64","reason":""}`,
		"no platform":     `  - {"dockerfile":"Dockerfile","digest":"` + digest + `","stage":"build","reason":""}`,
		"something after": `  - {"dockerfile":"Dockerfile","digest":"` + digest + `","stage":"build","platform":"linux/arm64","reason":""} {}`,
		"an image":        "  debian:12:",
	} {
		if _, err := resolve.ParseLock("archbuild.lock", []byte("version: 1\nimages:\ncross:\n"+line+"\n")); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
