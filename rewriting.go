package archbuild

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/rewrite"
)

// Rewrite writes Dockerfile.ARCH, and its ignore file when the template has
// one, for each platform: beside the template, into the folder out, or for "-"
// to standard output (one platform). Either all files are written or none, each
// whole. It names them.
func Rewrite(ctx context.Context, opts Options, out string) ([]string, error) {
	opts.Outputs, opts.Push = nil, false
	r, err := opts.check()
	if err != nil {
		return nil, err
	}
	host, err := opts.host(ctx)
	if err != nil {
		return nil, err
	}
	services, err := r.read(host.Platform)
	if err != nil {
		return nil, err
	}
	s := services[0]
	if out == "-" && len(s.targets) != 1 {
		return nil, &UsageError{fmt.Errorf("-o - writes one file, but there are %d platforms", len(s.targets)), "name one with --platform, or a folder with -o"}
	}
	// What a file says depends on the node's platform alone, not on what it can run.
	at, err := opts.rewritePlace(host.Platform)
	if err != nil {
		return nil, err
	}
	p, err := r.plan(ctx, s, at)
	if err != nil {
		return nil, err
	}
	for _, note := range p.Notes {
		fmt.Fprintf(r.Stderr, "archbuild: note: %s\n", ui.Line(note))
	}
	files, err := rewrittenFiles(s, p)
	if err != nil {
		return nil, err
	}
	if out == "-" {
		_, err = r.Stdout.Write(files[rewrite.Name(s.template.Name, p.Jobs[0].Platform.Suffix())])
		return nil, err
	}
	return writeAll(files, out, filepath.Dir(s.file))
}

// rewrittenFiles is every Dockerfile.ARCH with its ignore file, by name, with
// plain names of images: people read these files.
func rewrittenFiles(s service, p plan.Plan) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, job := range p.Jobs {
		file, err := rewrite.Dockerfile(s.template, replacements(job, false))
		if err != nil {
			return nil, fmt.Errorf("rewriting for %s: %w", job.Platform, err)
		}
		name := rewrite.Name(s.template.Name, job.Platform.Suffix())
		files[name] = file.Bytes
		if s.ignore != nil {
			files[rewrite.DockerignoreName(name)] = s.ignore
		}
	}
	return files, nil
}

// writeAll writes the files into the folder out, made if it is not there, or
// else into beside.
func writeAll(files map[string][]byte, out, beside string) ([]string, error) {
	folder := beside
	if out != "" {
		folder = out
		if err := os.MkdirAll(out, 0o755); err != nil {
			return nil, fmt.Errorf("making the folder: %w", err)
		}
	}
	var written []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(folder, name)
		if err := writeWhole(path, files[name]); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}
