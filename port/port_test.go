package port_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/port"
	"github.com/archbuild/archbuild/template"
)

// ported ports a Dockerfile, with what lint finds offline.
func ported(t *testing.T, source string, change func(*port.Request)) port.Result {
	t.Helper()
	r := port.Request{Platforms: []platform.Platform{platform.MustParse("amd64"), platform.MustParse("arm64")}}
	if change != nil {
		change(&r)
	}
	var err error
	if r.Template, err = template.Parse("Dockerfile", []byte(source)); err != nil {
		t.Fatal(err)
	}
	facts := lint.Facts{Template: r.Template, Build: platform.MustParse("amd64")}
	for _, p := range r.Platforms {
		facts.Targets = append(facts.Targets, plan.Target{Platform: p})
	}
	r.Findings = append(r.Findings, lint.Dockerfile(facts)...)
	r.Again = func(source, _ []byte) (*template.Template, []lint.Finding, error) {
		read, err := template.Parse("Dockerfile", source)
		if err != nil {
			return nil, nil, err
		}
		facts.Template = read
		return read, lint.Dockerfile(facts), nil
	}
	out, err := port.Dockerfile(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func on(names ...string) func(*port.Request) {
	return func(r *port.Request) {
		r.Platforms = nil
		for _, name := range names {
			r.Platforms = append(r.Platforms, platform.MustParse(name))
		}
	}
}

func TestDockerfile(t *testing.T) {
	const esac = ` ;; *) echo "no tool for $TARGETARCH" >&2; exit 1 ;; esac`
	for _, c := range []struct {
		what, before, after string
		change              func(*port.Request)
	}{
		{"Docker's own names need no case", "FROM a\nRUN curl -O https://e.x/tool-linux-amd64.tgz\n", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-linux-${TARGETARCH}.tgz\n", nil},
		{"other names are set by a case", "FROM a\nRUN curl -O https://e.x/tool-x86_64.tgz\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + " \\\n    && curl -O https://e.x/tool-${ARCH}.tgz\n", nil},
		{"a file for arm64 is ported to amd64", "FROM a\nRUN curl -O https://e.x/tool-aarch64.tgz\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + " \\\n    && curl -O https://e.x/tool-${ARCH}.tgz\n", nil},
		{"line ends stay", "FROM a\r\nRUN a && \\\r\n  curl -O https://e.x/tool-x86_64.tgz\r\n", "FROM a\r\nARG TARGETARCH\r\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + " && \\\r\n  a && \\\r\n  curl -O https://e.x/tool-${ARCH}.tgz\r\n", nil},
		{"a file may end without a newline", "FROM a\nRUN curl -O https://e.x/tool-amd64", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-${TARGETARCH}", nil},
		{"a script may be set to fail first", "FROM a\nRUN set -eux; \\\n\tcurl -O https://e.x/tool-x86_64.tgz; \\\n\tls\n", "FROM a\nARG TARGETARCH\nRUN set -eux; \\\n\tcase \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + "; \\\n\tcurl -O https://e.x/tool-${ARCH}.tgz; \\\n\tls\n", nil},
		{"a heredoc has lines of its own", "FROM a\nRUN <<EOF\nset -e\ncurl -O https://e.x/tool-x86_64.tgz\nEOF\n", "FROM a\nARG TARGETARCH\nRUN <<EOF\nset -e\ncase \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + "\ncurl -O https://e.x/tool-${ARCH}.tgz\nEOF\n", nil},
		{"single quotes are left and entered again", "FROM a\nRUN bash -c 'curl -O https://e.x/tool-amd64'\n", "FROM a\nARG TARGETARCH\nRUN bash -c 'curl -O https://e.x/tool-'\"${TARGETARCH}\"\n", nil},
		{"a name that is taken is not used", "FROM a\nARG ARCH\nRUN curl -O https://e.x/tool-x86_64.tgz\n", "FROM a\nARG ARCH\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) TOOL_ARCH=x86_64 ;; arm64) TOOL_ARCH=aarch64" + esac + " \\\n    && curl -O https://e.x/tool-${TOOL_ARCH}.tgz\n", nil},
		{"what is declared is not declared again", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-amd64\n", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-${TARGETARCH}\n", nil},
		{"later lines follow the name of the file", "FROM a\nRUN curl -O https://e.x/tool-linux-amd64.tgz\nRUN tar xf tool-linux-amd64.tgz && mv tool-linux-amd64 /t\n", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-linux-${TARGETARCH}.tgz\nRUN tar xf tool-linux-${TARGETARCH}.tgz && mv tool-linux-${TARGETARCH} /t\n", nil},
		{"an output's name and who copies it stay together", "FROM a AS b\nRUN GOARCH=amd64 go build -o /out/app-amd64 .\nFROM scratch\nCOPY --from=b /out/app-amd64 /app\n", "FROM a AS b\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /out/app-${TARGETARCH} .\nFROM scratch\nARG TARGETARCH\nCOPY --from=b /out/app-${TARGETARCH} /app\n", nil},
		{"a name that a command in JSON holds stays", "FROM a\nRUN curl -O https://e.x/tool-amd64\nENTRYPOINT [\"/tool-amd64\"]\n", "FROM a\nRUN curl -O https://e.x/tool-amd64\nENTRYPOINT [\"/tool-amd64\"]\n", nil},
		{"a project's own name is that of the file, too", "FROM a\nRUN curl -LO https://github.com/protocolbuffers/protobuf/releases/download/v24.1/tool-24.1-linux-x86_64.zip\nRUN unzip tool-24.1-linux-x86_64.zip\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch_64" + esac + " \\\n    && curl -LO https://github.com/protocolbuffers/protobuf/releases/download/v24.1/tool-24.1-linux-${ARCH}.zip\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch_64 ;; *) echo \"no tool for $TARGETARCH\" >&2; exit 1 ;; esac \\\n    && unzip tool-24.1-linux-${ARCH}.zip\n", nil},
		{"all of a line", "FROM a\nRUN curl https://get.helm.sh/helm-v3-linux-amd64.tgz | tar xz && mv linux-amd64/helm /bin && rm -r linux-amd64\n", "FROM a\nARG TARGETARCH\nRUN curl https://get.helm.sh/helm-v3-linux-${TARGETARCH}.tgz | tar xz && mv linux-${TARGETARCH}/helm /bin && rm -r linux-${TARGETARCH}\n", nil},
		{"a comment stays with its instruction", "FROM a\n\n# the tool\nRUN curl -O https://e.x/tool-amd64\n", "FROM a\n\nARG TARGETARCH\n# the tool\nRUN curl -O https://e.x/tool-${TARGETARCH}\n", nil},
		{"variants of arm are told apart", "FROM a\nRUN curl -O https://e.x/tool_1_armhf.deb\n", "FROM a\nARG TARGETARCH TARGETVARIANT\nRUN case \"$TARGETARCH$TARGETVARIANT\" in \\\n      amd64) ARCH=amd64 ;; \\\n      armv7) ARCH=armhf ;; \\\n      armv6) ARCH=\"${MISSING:?what linux/arm/v6 is called in place of armhf}\" ;; \\\n      *) echo \"no tool for $TARGETARCH$TARGETVARIANT\" >&2; exit 1 ;; \\\n    esac \\\n    && curl -O https://e.x/tool_1_${ARCH}.deb\n", on("amd64", "linux/arm/v7", "linux/arm/v6")},
		{"what it was written for may not be wanted", "FROM a\nRUN curl -O https://e.x/tool-x86_64.tgz\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64" + esac + " \\\n    && curl -O https://e.x/tool-${ARCH}.tgz\n", func(r *port.Request) {
			r.Platforms, r.Written = []platform.Platform{platform.MustParse("arm64")}, platform.MustParse("amd64")
		}},
		{"a platform of another word is not touched", "FROM a\nRUN curl -O https://e.x/tool-linux-386\n", "FROM a\nRUN curl -O https://e.x/tool-linux-386\n", nil},
		{"tini has a name for each", "FROM a\nADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /tini\n", "FROM a\nARG TINI_FILE=tini\nADD https://github.com/krallin/tini/releases/download/v0.19.0/${TINI_FILE} /tini\n", nil},
		{"official images lose their prefix", "FROM amd64/debian:12\n", "FROM debian:12\n", nil},
		{"a platform goes", "FROM --platform=linux/amd64 debian:12 AS x\n", "FROM debian:12 AS x\n", nil},
		{"a suppressed line stays", "FROM a\n# archbuild ignore=arch-literal\nRUN curl -O https://e.x/tool-amd64\n", "FROM a\n# archbuild ignore=arch-literal\nRUN curl -O https://e.x/tool-amd64\n", nil},
		{"commands in JSON stay", "FROM a\nRUN [\"curl\", \"-O\", \"https://e.x/tool-amd64\"]\n", "FROM a\nRUN [\"curl\", \"-O\", \"https://e.x/tool-amd64\"]\n", nil},
		{"a TARGETARCH of the author's own stays", "FROM a\nENV TARGETARCH=x\nRUN curl -O https://e.x/tool-amd64\n", "FROM a\nENV TARGETARCH=x\nRUN curl -O https://e.x/tool-amd64\n", nil},
		{"what an edit makes visible is edited, too", "FROM --platform=linux/amd64 debian:12\nRUN --mount=type=cache,target=/src/target make\n", "FROM debian:12\nARG TARGETARCH\nRUN --mount=type=cache,id=src-target-$TARGETARCH,target=/src/target make\n", nil},
		{"a name of a letter is a name", "FROM a\nRUN curl -O https://e.x/x_x86_64.rpm && rpm -i x_x86_64.rpm && rm x_x86_64.rpm\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64 ;; *) echo \"no build for $TARGETARCH\" >&2; exit 1 ;; esac \\\n    && curl -O https://e.x/x_${ARCH}.rpm && rpm -i x_${ARCH}.rpm && rm x_${ARCH}.rpm\n", nil},
		{"a message names the whole file", "FROM a\nRUN curl -o /d 'https://e.x/dumb-init_1.2_x86_64'\n", "FROM a\nARG TARGETARCH\nRUN case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64 ;; *) echo \"no dumb-init for $TARGETARCH\" >&2; exit 1 ;; esac \\\n    && curl -o /d 'https://e.x/dumb-init_1.2_'\"${ARCH}\"\n", nil},
		{"the case of an edit shares no cache", "FROM a\nRUN --mount=type=cache,target=/c set -x; \\\n  curl https://e.x/x86_64/yes\n", "FROM a\nARG TARGETARCH\nRUN --mount=type=cache,target=/c set -x; \\\n  case \"$TARGETARCH\" in amd64) ARCH=x86_64 ;; arm64) ARCH=aarch64 ;; *) echo \"no yes for $TARGETARCH\" >&2; exit 1 ;; esac; \\\n  curl https://e.x/${ARCH}/yes\n", nil},
		{"options of compilers stay", "FROM a\nRUN gcc -march=x86-64-v3 a.c\n", "FROM a\nRUN gcc -march=x86-64-v3 a.c\n", nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			out := ported(t, c.before, c.change)
			if diff := cmp.Diff(c.after, string(out.Source)); diff != "" {
				t.Error(diff)
			}
			again := ported(t, string(out.Source), func(r *port.Request) {
				if c.change != nil {
					c.change(r)
				}
				r.Config = out.Config
			})
			if string(again.Source) != string(out.Source) && !strings.Contains(string(again.Source), "TINI_FILE") { // of archbuild.yaml the facade tells lint
				t.Errorf("again: %s", again.Source)
			}
		})
	}
}

func TestChecksumsLeaveGaps(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	out := ported(t, "FROM a\nRUN curl -O https://e.x/tool-amd64 && \\\n    echo \""+sum+"  tool-amd64\" | sha256sum -c\n", nil)
	want := `FROM a
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64) SHA256=` + sum + ` ;; \
      arm64) SHA256="${MISSING:?sha256 of https://e.x/tool-arm64}" ;; \
      *) echo "no tool for $TARGETARCH" >&2; exit 1 ;; \
    esac && \
    curl -O https://e.x/tool-${TARGETARCH} && \
    echo "${SHA256}  tool-${TARGETARCH}" | sha256sum -c
`
	if diff := cmp.Diff(want, string(out.Source)); diff != "" {
		t.Error(diff)
	}
	if len(out.Gaps) != 1 || out.Gaps[0].Line != 5 || out.Gaps[0].What != "sha256 of https://e.x/tool-arm64" || out.Gaps[0].Platform != platform.MustParse("arm64") {
		t.Errorf("%+v", out.Gaps)
	}
}

// images is a registry that has some images, each for some platforms.
func images(list map[string]string) func(*port.Request) {
	return func(r *port.Request) {
		r.Images = func(image string) ([]platform.Platform, bool) {
			found, _ := platform.ParseList(list[image])
			return found, true
		}
		r.Index = func(image string) (string, bool) { return "sha256:" + strings.Repeat("1", 64), image != "" }
	}
}

func TestBasesAreAskedFor(t *testing.T) {
	digest := "debian:12@sha256:" + strings.Repeat("2", 64)
	for _, c := range []struct {
		what, before, after, id string
		rules                   []port.Base
		change                  func(*port.Request)
	}{
		{"an official image that serves both", "FROM amd64/debian:12\n", "FROM debian:12\n", "base-one-arch", nil, images(map[string]string{"debian:12": "amd64,arm64"})},
		{"an official image that serves one", "FROM amd64/debian:12\n", "FROM amd64/debian:12\n", "base-one-arch", nil, images(map[string]string{"debian:12": "amd64"})},
		{"sisters with Docker's names", "FROM e.x/tool-amd64:1\n", "FROM e.x/tool-${TARGETARCH}:1\n", "base-one-arch", nil, images(map[string]string{"e.x/tool-arm64:1": "arm64"})},
		{"sisters with other names", "FROM e.x/tool-x86_64:1\n", "FROM e.x/tool-x86_64:1\n", "base-one-arch",
			[]port.Base{{Old: "e.x/tool-x86_64:1", New: "e.x/tool-aarch64:1", Platform: platform.MustParse("arm64")}}, images(map[string]string{"e.x/tool-aarch64:1": "arm64"})},
		{"no sisters", "FROM e.x/tool-amd64:1\n", "FROM e.x/tool-amd64:1\n", "base-one-arch", nil, images(nil)},
		{"a digest in an index", "FROM " + digest + "\n", "FROM debian:12@sha256:" + strings.Repeat("1", 64) + "\n", "base-one-arch", nil, images(nil)},
		{"a platform whose image serves one", "FROM --platform=linux/amd64 e.x/tool:1\n", "FROM --platform=linux/amd64 e.x/tool:1\n", "base-one-arch", nil, images(map[string]string{"e.x/tool:1": "amd64"})},
		{"a prefix in an argument", "ARG ARCH=amd64\nFROM ${ARCH}/debian:12\n", "ARG ARCH=amd64\nFROM ${ARCH}/debian:12\n", "base-one-arch", nil, images(map[string]string{"arm64v8/debian:12": "arm64", "amd64/debian:12": "amd64"})},
	} {
		out := ported(t, c.before, func(r *port.Request) {
			c.change(r)
			r.Findings = []lint.Finding{{ID: c.id, Severity: lint.Error, File: "Dockerfile", Line: 1}}
		})
		if diff := cmp.Diff(c.after, string(out.Source)); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
		if diff := cmp.Diff(c.rules, out.Bases); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

func TestConfigIsExtendedByLines(t *testing.T) {
	const file = "FROM a\nADD https://e.x/tool-x86_64.tgz /\n"
	const added = "    TOOL_ARCH: aarch64\n"
	for _, c := range []struct{ what, before, after string }{
		{"one that says nothing", "# ours\n", "# ours\nplatforms: [linux/amd64, linux/arm64]\nargs:\n  linux/arm64:\n" + added},
		{"one without a final newline", "target: app", "target: app\nplatforms: [linux/amd64, linux/arm64]\nargs:\n  linux/arm64:\n" + added},
		{"platforms stay", "platforms:\n  - linux/amd64 # first\n  - arm64\n", "platforms:\n  - linux/amd64 # first\n  - arm64\nargs:\n  linux/arm64:\n" + added},
		{"arguments of all", "platforms: [amd64, arm64]\nargs: # what is built\n  V: 1\n\n# the end\ntarget: x\n", "platforms: [amd64, arm64]\nargs: # what is built\n  V: 1\n  linux/arm64:\n" + added + "\n# the end\ntarget: x\n"},
		{"arguments of the platform", "platforms: [amd64, arm64]\nargs:\n    arm64:\n        V: 1 # one\n    W: 2\n", "platforms: [amd64, arm64]\nargs:\n    arm64:\n        V: 1 # one\n        TOOL_ARCH: aarch64\n    W: 2\n"},
		{"arguments in braces", "platforms: [amd64, arm64]\nargs:\n  linux/arm64: {V: 1} # one\n", "platforms: [amd64, arm64]\nargs:\n  linux/arm64: {V: 1, TOOL_ARCH: aarch64} # one\n"},
		{"all in braces", "platforms: [amd64, arm64]\nargs: {}\n", "platforms: [amd64, arm64]\nargs: {linux/arm64: {TOOL_ARCH: aarch64}}\n"},
		{"both in braces", "platforms: [amd64, arm64]\nargs: { arm64: { V: '1, {', }, W: \"2\" } # {W: 1}\n", "platforms: [amd64, arm64]\nargs: { arm64: { V: '1, {', TOOL_ARCH: aarch64 }, W: \"2\" } # {W: 1}\n"},
		{"what is there stays", "platforms: [amd64, arm64]\nargs: {linux/arm64: {\"OTHER_ARCH\": b}}\n", "platforms: [amd64, arm64]\nargs: {linux/arm64: {\"OTHER_ARCH\": b, TOOL_ARCH: aarch64}}\n"},
		{"other line ends", "platforms: [amd64, arm64]\r\nargs:\r\n  V: 1\r\n", "platforms: [amd64, arm64]\r\nargs:\r\n  V: 1\r\n  linux/arm64:\r\n    TOOL_ARCH: aarch64\r\n"},
	} {
		out := ported(t, file, func(r *port.Request) { r.Config = []byte(c.before) })
		if diff := cmp.Diff(c.after, string(out.Config)); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

func TestNothingIsDoneWithoutFindings(t *testing.T) {
	for _, source := range []string{"FROM debian:12\nRUN apt-get update\n", "FROM a\nARG TARGETARCH\nRUN curl -O https://e.x/tool-${TARGETARCH}\n"} {
		out := ported(t, source, nil)
		if string(out.Source) != source || out.Config != nil || len(out.Done)+len(out.Gaps) > 0 {
			t.Errorf("%q: %+v", source, out)
		}
	}
}

func FuzzDockerfile(f *testing.F) {
	f.Add("FROM amd64/debian\nRUN set -e; curl -O https://e.x/t-x86_64.tgz; echo '"+strings.Repeat("0", 64)+" t' | sha256sum -c\n", "args: {}\n")
	f.Add("FROM --platform=linux/amd64 a\r\nENV A=x86_64 \\\r\n B=amd64\r\nADD https://e.x/$A/t-amd64 /\r\n", "platforms: [arm64]")
	f.Fuzz(func(t *testing.T, source, config string) {
		read, err := template.Parse("Dockerfile", []byte(source))
		if err != nil {
			return
		}
		var findings []lint.Finding
		for _, id := range []string{"arch-literal", "arch-asked", "checksum-one-arch", "download-unnamed-arch", "arch-link", "cache-shared", "base-one-arch"} {
			for line := range strings.Count(source, "\n") + 1 {
				findings = append(findings, lint.Finding{ID: id, Severity: lint.Error, File: "Dockerfile", Line: line + 1})
			}
		}
		out, err := port.Dockerfile(port.Request{Template: read, Findings: findings, Config: []byte(config), Platforms: []platform.Platform{platform.MustParse("amd64"), platform.MustParse("arm64")}})
		if err != nil {
			return
		}
		now, err := template.Parse("Dockerfile", out.Source)
		if err != nil {
			t.Fatalf("%v\n%s", err, out.Source)
		}
		if len(now.Stages) != len(read.Stages) {
			t.Errorf("%d stages become %d", len(read.Stages), len(now.Stages))
		}
		if len(out.Done) == 0 && (string(out.Source) != source || string(out.Config) != config) {
			t.Errorf("nothing was done, and yet it says %q", out.Source)
		}
		if comments(source) != comments(string(out.Source)) {
			t.Errorf("comments change: %s", out.Source)
		}
	})
}

// comments are the lines of a file that begin with #.
func comments(source string) string {
	lines := strings.Split(source, "\n")
	return fmt.Sprint(slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(strings.TrimSpace(line), "#") }))
}
