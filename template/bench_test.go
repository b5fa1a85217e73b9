package template_test

import (
	"strings"
	"testing"

	"github.com/archbuild/archbuild/template"
)

// typical is a Dockerfile of the usual size and shape.
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
    --mount=type=cache,target=/var/cache/go-build \
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
CMD ["--port", "8080"]
`

func BenchmarkParse(b *testing.B) {
	for name, source := range sizes() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(source)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := template.Parse("Dockerfile", []byte(source)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuildKit is the yardstick: parser.Parse and instructions.Parse.
func BenchmarkBuildKit(b *testing.B) {
	for name, source := range sizes() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(source)))
			b.ReportAllocs()
			for b.Loop() {
				if !accepts([]byte(source)) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func sizes() map[string]string {
	return map[string]string{"typical": typical, "300KB": repeat(typical, 200), "cycle": cycle(4999), "mounts": hostile["10,000 mounts"].source,
		"split": hostile["a name split 490,000 times"].source, "quotes": hostile["4 MB of quotes"].source, "chain": hostile["10,000 stages in a chain"].source,
		"onbuild": hostile["9,000 ONBUILDs"].source, "commas": hostile["four million commas in mounts"].source, "continuations": hostile["490,000 continuations"].source}
}

// repeat makes a large file of many copies; its directive and global ARGs come once.
func repeat(source string, n int) string {
	head, body, _ := strings.Cut(source, "\nFROM ")
	return head + strings.Repeat("\nFROM "+body, n)
}
