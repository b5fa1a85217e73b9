package assembling_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/manifest/spec"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/assembling"
	"github.com/archbuild/archbuild/verbs/inspecting"
	"github.com/archbuild/archbuild/verbs/verifying"
)

// TestMistakesOnTheCommandLineAreToldAtOnce: each with its own hint and the status 2.
func TestMistakesOnTheCommandLineAreToldAtOnce(t *testing.T) {
	system := outside.System{Stdin: strings.NewReader(""), Stdout: t.Output(), Stderr: t.Output(), Environ: []string{"HOME=" + t.TempDir()}}
	engine := outside.Engine{State: t.TempDir()}
	assemble := func(opts assembling.Options) error {
		opts.System, opts.Engine = system, engine
		_, err := assembling.Index(t.Context(), opts)
		return err
	}
	for _, row := range []struct {
		name string
		err  error
		want []string
	}{
		{
			"a name in capitals, a type and a platform that do not exist",
			assemble(assembling.Options{Tags: []string{"r.example/APP:1"}, Sources: []string{"r.example/app:2"}, Type: "dcker", Platforms: []string{"linux/amd46"}}),
			[]string{"APP", "amd46", "dcker"},
		},
		{
			"paths that do not exist",
			assemble(assembling.Options{Tags: []string{"r.example/app:1"}, Sources: []string{"./no", "./nothing"}}),
			[]string{"./no:", "./nothing:"},
		},
		{
			"flags of from-args that are missing",
			func() error {
				_, err := assembling.Specs(t.Context(), assembling.SpecOptions{
					Args: spec.Args{Platforms: []string{"linux/amd64"}}, Options: assembling.Options{World: outside.World{System: system, Engine: engine}},
				})
				return err
			}(),
			[]string{"--template", "--target"},
		},
		{
			"a path to inspect that does not exist",
			func() error {
				_, err := inspecting.Document(t.Context(), inspecting.Options{World: outside.World{System: system, Engine: engine}, Paths: []string{"./no"}})
				return err
			}(),
			[]string{"./no:"},
		},
		{
			"a path to verify that does not exist",
			func() error {
				_, err := verifying.Images(t.Context(), verifying.Options{World: outside.World{System: system, Engine: engine}, Paths: []string{"./no"}})
				return err
			}(),
			[]string{"./no:"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var missing []string
			list := leaves(row.err)
			for i, e := range list {
				var status interface{ ExitStatus() int }
				if !errors.As(e, &status) || status.ExitStatus() != 2 {
					t.Errorf("%v has not the status 2", e)
				}
				if i < len(row.want) && !strings.Contains(row.err.Error(), row.want[i]) {
					missing = append(missing, row.want[i])
				}
			}
			if len(list) != len(row.want) || missing != nil {
				t.Errorf("told are %d mistakes, not %d; not told are %v:\n%v", len(list), len(row.want), cmp.Diff([]string(nil), missing), row.err)
			}
		})
	}
}

func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, leaves(e)...)
	}
	return list
}
