package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Verify looks at images that exist: layouts, archives, references.
func Verify(ctx context.Context, opts Options) ([]VerifyReport, error) {
	client, _, err := opts.registryClient()
	if err != nil {
		return nil, err
	}
	only, err := parsePlatforms("--platform", opts.Platforms, platform.Host())
	if err != nil {
		return nil, err
	}
	remote := func(ctx context.Context, ref string) (v1.Image, v1.ImageIndex, error) {
		desc, err := client.Descriptor(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		if types.MediaType(desc.MediaType).IsIndex() {
			index, err := client.V1Index(ctx, ref)
			return nil, index, err
		}
		image, err := client.V1Image(ctx, ref)
		return image, nil, err
	}
	var reports []VerifyReport
	var failed []error
	for _, arg := range opts.Paths {
		images, closer, err := verify.Load(ctx, arg, remote)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(only), func(p platform.Platform) bool {
			return slices.ContainsFunc(images, func(i verify.Labelled) bool { return i.Platform == p })
		})
		for _, p := range missing {
			failed = append(failed, fmt.Errorf("%s has no image for %s", arg, p))
		}
		for _, one := range images {
			if len(only) > 0 && !slices.Contains(only, one.Platform) {
				continue
			}
			report, err := verify.Image(ctx, one.Image, verify.Options{
				Platform: one.Platform, Allow: opts.VerifyAllow, Memory: opts.verdicts(),
			})
			if err == nil {
				reports = append(reports, VerifyReport{Image: arg, Digest: one.Digest.String(), Report: report})
				err = report.Err()
			}
			failed = append(failed, err)
		}
		failed = append(failed, closer.Close())
	}
	return reports, errors.Join(failed...)
}

// VerifyReport is what was found in one image of an argument.
type VerifyReport struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
	verify.Report
}

// WriteReports prints what Verify found, a line an image.
func WriteReports(w io.Writer, reports []VerifyReport) error {
	var rows [][]string
	for _, r := range reports {
		verdict := "ok"
		if n := len(r.Findings); n > 0 {
			verdict = fmt.Sprintf("%d finding%s", n, plural(n))
		}
		rows = append(rows, []string{r.Image, r.Platform.String(), fmt.Sprint(r.Files), fmt.Sprint(r.Programs), verdict})
	}
	if err := ui.Table(w, []string{"IMAGE", "PLATFORM", "FILES", "PROGRAMS", "VERDICT"}, rows); err != nil {
		return err
	}
	// What is serious is told by Verify's error.
	for _, r := range reports {
		for i, f := range r.Warnings() {
			if i == shownWarnings {
				fmt.Fprintf(w, "%s %s: and %d more; --json shows all\n", ui.Line(r.Image), r.Platform, len(r.Warnings())-i)
				break
			}
			fmt.Fprintf(w, "%s: %s %s: %s\n", f.Severity, ui.Line(r.Image), r.Platform, ui.Clean(f.Message))
		}
	}
	return nil
}

// EngineStatus tells of the private engine.
func EngineStatus(ctx context.Context, opts Options) (engine.State, error) {
	options, err := opts.engineOptions()
	if err != nil {
		return engine.State{}, err
	}
	return engine.Status(ctx, options)
}

// EngineStop ends it; the caches stay. None running is no error.
func EngineStop(ctx context.Context, opts Options) error {
	options, err := opts.engineOptions()
	if err != nil {
		return err
	}
	return engine.Stop(ctx, options)
}

// WriteEngine prints the engine's state.
func WriteEngine(w io.Writer, s engine.State) error {
	if !s.Running {
		_, err := fmt.Fprintf(w, "not running; the next build starts it (BuildKit %s)\ncaches in %s\n", s.BuildKit, s.Root)
		return err
	}
	runc := s.Runc
	if runc == "" {
		runc = "none"
	}
	_, err := fmt.Fprintf(w, "running: BuildKit %s, pid %d, %d other connections, ends after %s without a client\nsocket %s\ncaches in %s\nlog %s\nrunc %s\n",
		s.BuildKit, s.PID, s.Connections, s.Idle, s.Socket, s.Root, s.Log, runc)
	return err
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
