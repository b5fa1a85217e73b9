package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What lint is to cope with: a context that COPY . . takes in whole, and many files that are small.
const (
	lintFiles       = 20_000
	lintDockerfiles = 1_000
	lintPromised    = time.Second
)

const lintEverything = `FROM debian:bookworm-slim
WORKDIR /srv
COPY . .
CMD ["./start.sh"]
`

// lintSmall is a usual Dockerfile; %d makes each another text.
const lintSmall = `# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags "-X main.number=%d" -o /out/server .

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl jq \
 && rm -rf /var/lib/apt/lists/*
RUN case "$(dpkg --print-architecture)" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=aarch64 ;; \
    esac && curl -fsSL "https://github.com/example/tool/releases/download/v1.%[1]d/tool-linux-$arch.tar.gz" | tar -xz -C /usr/local/bin
COPY --from=build /out/server /usr/local/bin/server
COPY start.sh /
HEALTHCHECK CMD curl -f http://localhost:8080/health
ENTRYPOINT ["/start.sh"]
`

// lintMain measures archbuild lint on a context of 20,000 files and 200 MB, and on 1,000
// small Dockerfiles. "Warm" is the second and each later run.
func lintMain(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("bench lint", flag.ContinueOnError)
	runs := flags.Int("n", 10, "counted runs")
	program := flags.String("archbuild", "bin/archbuild", "the archbuild to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "archbuild-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	large, small := filepath.Join(dir, "large"), filepath.Join(dir, "small")
	size, err := makeLarge(large)
	if err != nil {
		return err
	}
	folders, err := makeSmall(small)
	if err != nil {
		return err
	}
	everything := &command{name: "context", args: []string{*program, "lint", "--offline", large}, env: os.Environ()}
	fmt.Printf("lint with COPY . . of %d files, %d MB\n", lintFiles, size>>20)
	if err := interleave(ctx, *runs, []*command{everything}); err != nil {
		return err
	}
	verdict := "kept"
	if everything.median() > lintPromised {
		verdict = "NOT kept"
	}
	fmt.Printf("  median %d ms (promised ≤ %d ms: %s)\n", everything.median().Milliseconds(), lintPromised.Milliseconds(), verdict)
	many := &command{name: "Dockerfiles", args: append([]string{*program, "lint", "--offline"}, folders...), env: os.Environ()}
	fmt.Printf("lint of %d small Dockerfiles in one run\n", lintDockerfiles)
	return many.quietly(ctx, *runs)
}

// quietly is interleave for a command line too long to be shown.
func (c *command) quietly(ctx context.Context, n int) error {
	for range n + 1 {
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	work := c.work / time.Duration(n+1)
	slices.Sort(c.walls)
	fmt.Printf("  median %d ms, processor %d ms, that is %d µs for each; memory %d MB\n",
		c.median().Milliseconds(), work.Milliseconds(), (work / lintDockerfiles).Microseconds(), c.peak/1024)
	return nil
}

// makeLarge writes a context as projects have them: sources, data that does not
// compress, jars, and programs for both machines in pairs, so that nothing is an error. It tells its bytes.
func makeLarge(dir string) (size int64, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	put := func(name string, content []byte) {
		if err == nil {
			size += int64(len(content))
			err = writeFile(filepath.Join(dir, name), content)
		}
	}
	put("Dockerfile", []byte(lintEverything))
	put("start.sh", []byte("#!/bin/sh\n"))
	source := bytes.Repeat([]byte("func answer() int { return 42 }\n"), 240)
	for i := 2; i < lintFiles-600; i++ {
		put(fmt.Sprintf("src/%02d/%03d/file%d.go", i%40, i%400, i), source)
	}
	noise := make([]byte, 128<<10)
	for i := range 200 {
		for at := 0; at < len(noise); at += 8 {
			binary.LittleEndian.PutUint64(noise[at:], random.Uint64())
		}
		put(fmt.Sprintf("data/%03d.bin", i), noise)
		jar, zipped := lintJar(noise[:64<<10])
		err = errors.Join(err, zipped)
		put(fmt.Sprintf("lib/lib%03d.jar", i), jar)
		machine, word := uint16(62), "amd64"
		if i%2 == 1 {
			machine, word = 183, "arm64"
		}
		put(fmt.Sprintf("bin/linux-%s/tool%03d", word, i/2), append(elfHeader(machine), noise...))
	}
	return size, err
}

// lintJar is a jar of a hundred classes that compress to nothing, and a file that does not.
func lintJar(noise []byte) ([]byte, error) {
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	for i := range 100 {
		class, err := w.Create(fmt.Sprintf("com/example/Class%d.class", i))
		if err != nil {
			return nil, err
		}
		if _, err := class.Write([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x41")); err != nil {
			return nil, err
		}
	}
	data, err := w.Create("data.bin")
	if err != nil {
		return nil, err
	}
	if _, err := data.Write(noise); err != nil {
		return nil, err
	}
	err = w.Close()
	return jar.Bytes(), err
}

// elfHeader begins a 64-bit Linux program for a machine (e_machine).
func elfHeader(machine uint16) []byte {
	header := make([]byte, 120)
	copy(header, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(header[16:], 2)
	binary.LittleEndian.PutUint16(header[18:], machine)
	binary.LittleEndian.PutUint32(header[20:], 1)
	return header
}

// makeSmall writes folders with a Dockerfile each, and gives their paths.
func makeSmall(dir string) ([]string, error) {
	var folders []string
	for i := range lintDockerfiles {
		folder := filepath.Join(dir, fmt.Sprintf("%04d", i))
		folders = append(folders, folder)
		if err := writeFile(filepath.Join(folder, "Dockerfile"), fmt.Appendf(nil, lintSmall, i)); err != nil {
			return nil, err
		}
		if err := writeFile(filepath.Join(folder, "start.sh"), []byte("#!/bin/sh\nexec server\n")); err != nil {
			return nil, err
		}
	}
	return folders, nil
}
