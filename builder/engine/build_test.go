//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
)

// boxContext is a folder with the program that the test images consist of.
func boxContext(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "box"), "./testdata/box")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building testdata/box: %v\n%s", err, out)
	}
	return dir
}

// buildBox builds an image with the Dockerfile frontend and throws it away. What
// the steps print is returned.
func buildBox(ctx context.Context, c *client.Client, dir, dockerfile string) (string, error) {
	return buildBoxFor(ctx, c, dir, dockerfile, nil)
}

// buildBoxFor is buildBox with options for the frontend.
func buildBoxFor(ctx context.Context, c *client.Client, dir, dockerfile string, options map[string]string) (string, error) {
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return "", err
	}
	mount, err := fsutil.NewFS(dir)
	if err != nil {
		return "", err
	}
	status := make(chan *client.SolveStatus)
	var logs bytes.Buffer
	var eg errgroup.Group
	eg.Go(func() error {
		for s := range status {
			for _, l := range s.Logs {
				logs.Write(l.Data)
			}
		}
		return nil
	})
	_, err = c.Solve(ctx, nil, client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: options,
		LocalMounts:   map[string]fsutil.FS{"context": mount, "dockerfile": mount},
		Exports: []client.ExportEntry{{
			Type:   client.ExporterOCI,
			Output: func(map[string]string) (io.WriteCloser, error) { return discard{io.Discard}, nil },
		}},
	}, status)
	eg.Wait()
	return logs.String(), err
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// sleeper is a Dockerfile whose RUN takes a while and was never built before.
func sleeper(d time.Duration, token string) string {
	return fmt.Sprintf("FROM scratch\nCOPY box /box\nRUN [\"/box\", %q, \"/%s\"]\nRUN [\"/box\", \"1ms\", \"/%s-2\"]\n", d, token, token)
}
