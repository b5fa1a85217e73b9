package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// stdinName is standard input where a file is named: "-", or DIR/- when what
// belongs to it is in DIR.
const stdinName = "-"

// stdinWords is what messages call it.
const stdinWords = "standard input"

// fromStdin says whether a template came from standard input.
func fromStdin(file string) bool { return filepath.Base(file) == stdinName }

// rewriteSource finds what is to be rewritten: a Dockerfile itself, the one in a
// folder, or standard input with the archbuild.yaml of the working directory.
func (r run) rewriteSource(ctx context.Context, host detect.HostFacts) (service, error) {
	path := r.Paths[0]
	if path == stdinName && r.File != "" && r.File != stdinName {
		return service{}, &wrong.Usage{fmt.Errorf("-f %s and standard input are two Dockerfiles", r.File), "leave one of them out"}
	}
	if path == stdinName {
		c, err := folderContext(".")
		if err != nil {
			return service{}, err
		}
		return r.readStdin(c, files{}, ".", host.Platform)
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && !isArchive(path) {
		if r.File != "" {
			return service{}, &wrong.Usage{fmt.Errorf("-f %s and %s are two Dockerfiles", r.File, path), "leave one of them out"}
		}
		r.File, r.Paths = path, []string{filepath.Dir(path)}
		path = r.Paths[0]
	}
	return r.readService(ctx, path, host)
}

// readStdin reads the template from standard input; what belongs to it is in folder.
func (r run) readStdin(c buildContext, at files, folder string, host platform.Platform) (service, error) {
	if r.Stdin == nil {
		return service{}, &wrong.Usage{errors.New("there is no standard input"), "give a Dockerfile, or the folder of one"}
	}
	content, err := io.ReadAll(io.LimitReader(r.Stdin, r.maxBytes()+1))
	if err != nil {
		return service{}, &wrong.Read{What: "standard input", Err: err}
	}
	s := service{name: c.name, context: c, notes: c.notes, beside: at, source: source{file: filepath.Join(folder, stdinName)}}
	if s.template, err = template.ParseLimited("Dockerfile", content, r.limits()); err != nil {
		return s, ofStdin(err)
	}
	s.template.File = stdinWords
	if s.config, err = readConfig(at, filepath.Join(folder, "archbuild.yaml")); err != nil {
		return s, err
	}
	platforms, from, err := r.choosePlatforms(s.config.Platforms, host)
	if err != nil {
		return s, err
	}
	s.platformsFrom = from
	return s, r.target(&s, platforms)
}

// ofStdin says of an error about a template that it came from standard input.
func ofStdin(err error) error {
	if e := new(template.SyntaxError); errors.As(err, &e) {
		e.File = stdinWords
	}
	if e := new(template.LimitError); errors.As(err, &e) {
		e.File = stdinWords
	}
	return err
}
