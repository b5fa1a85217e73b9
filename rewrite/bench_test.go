package rewrite_test

import (
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

const typical = `# syntax=docker/dockerfile:1
ARG GO_VERSION=1.26
ARG BASE=debian:bookworm-slim

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
# Dependencies first, so that they are cached.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w" -o /out/server ./cmd/server

FROM node:20 AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN npm ci
COPY web .
RUN npm run build

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates \
      # for time zones
      tzdata \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/server /usr/local/bin/server
COPY --from=web /web/dist /srv/www
COPY --from=busybox:1.36 /bin/busybox /bin/busybox
ENV PORT=8080
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/server"]
`

// BenchmarkThreePlatforms reads one Dockerfile of the usual size and, for each
// of three platforms, evaluates it and rewrites every image in it.
func BenchmarkThreePlatforms(b *testing.B) {
	prefixes := map[string]string{"linux/arm64": "arm64v8/", "linux/arm/v7": "arm32v7/", "linux/s390x": "s390x/"}
	build := platform.MustParse("linux/amd64")
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := template.Parse("Dockerfile", []byte(typical))
		if err != nil {
			b.Fatal(err)
		}
		for name, prefix := range prefixes {
			uses, err := parsed.Uses(template.Env{Target: platform.MustParse(name), Build: build})
			if err != nil {
				b.Fatal(err)
			}
			var list []rewrite.Replacement
			for i, u := range uses {
				if u.Kind == template.External {
					list = append(list, rewrite.Replacement{Reference: i, New: prefix + u.Image})
				}
			}
			if out, err := rewrite.Dockerfile(parsed, list); err != nil || len(out.Edits) != 4 {
				b.Fatal(err, out.Edits)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "Dockerfiles/s")
}
