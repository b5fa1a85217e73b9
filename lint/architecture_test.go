package lint_test

import (
	"fmt"
	"testing"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// TestWhatIsSaidOfArchitectures: a finding says what the word does, whom it harms, and what
// to write instead, in the project's own words.
func TestWhatIsSaidOfArchitectures(t *testing.T) {
	for _, c := range []struct{ line, message, fix string }{
		{
			"RUN curl -LO https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubectl",
			"curl downloads the amd64 file on linux/arm64 too",
			"declare ARG TARGETARCH in the stage and write ${TARGETARCH} for amd64",
		},
		{
			"RUN wget https://github.com/protocolbuffers/protobuf/releases/download/v27.0/protoc-27.0-linux-x86_64.zip",
			"wget downloads the x86_64 file on linux/arm64 too",
			"declare ARG TARGETARCH in the stage and choose by it, as protoc calls its files: case \"$TARGETARCH\" in amd64) a=x86_64 ;; arm64) a=aarch_64 ;; esac, then ${a} for x86_64",
		},
		{
			"ENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
			"LD_PRELOAD names a path of amd64 alone: linux/arm64 has no /usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
			"declare ARG LD_PRELOAD_ARCH=x86_64-linux-gnu before it, write ${LD_PRELOAD_ARCH} for x86_64-linux-gnu, and give the other platforms theirs in archbuild.yaml:\nargs:\n  linux/arm64:\n    LD_PRELOAD_ARCH: aarch64-linux-gnu",
		},
		{
			"ARG TARGETARCH=amd64",
			"the default hides the value that BuildKit gives TARGETARCH, so it is amd64 on linux/arm64 too",
			"take the default out: ARG TARGETARCH; BuildKit gives it its value",
		},
		{
			"ADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /tini",
			"tini is for amd64, though its name says no architecture: it does not run on linux/arm64",
			"choose by ${TARGETARCH}; for arm64 there is tini-arm64",
		},
		{
			"RUN a=$(uname -m)",
			"uname -m asks the machine that the step runs on; TARGETARCH says the same, and stays right when the stage moves to the build platform",
			"declare ARG TARGETARCH in the stage and use ${TARGETARCH}",
		},
	} {
		tmpl, err := template.Parse("Dockerfile", fmt.Appendf(nil, "FROM debian:12\n%s\n", c.line))
		if err != nil {
			t.Fatal(err)
		}
		found := lint.Dockerfile(lint.Facts{
			Template: tmpl, Build: platform.MustParse("linux/amd64"),
			Targets: []plan.Target{{Platform: platform.MustParse("linux/amd64")}, {Platform: platform.MustParse("linux/arm64")}},
		})
		if len(found) != 1 || found[0].Message != c.message || found[0].Fix != c.fix || found[0].Line != 2 {
			t.Errorf("%s:\ngot  %+v\nwant %s\n     %s", c.line, found, c.message, c.fix)
		}
	}
}
