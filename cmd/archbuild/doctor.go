package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
)

func newDoctor(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var asJSON, verbose bool
	var d archbuild.Doctoring
	c := &cobra.Command{
		Use:   "doctor [PATH...]",
		Short: "Say beforehand what would stop or degrade builds here, and what mends it",
		Long: `Say beforehand what would stop or degrade builds: on this machine, its kernel and
engine, the nodes that builds go to, emulators, registries and their credentials, and
for each PATH whether it can be built for its platforms.

Nothing is started, built or changed, but for the two flags about emulators. Nodes and registries are asked all at the same
time, and who has not answered after --wait counts as not reachable. Credentials are
told by where they are, never by what they are. docs/doctor.md explains every check.

Exit status: 0 every PATH can be built, or without one every platform of --platform, or
without that anything (what is degraded does no harm to that), 1 not so, 2 wrong usage.`,
		Example: `  archbuild doctor
  archbuild doctor ./service --platform linux/amd64,linux/arm64 -t registry.example/app:1.2
  archbuild doctor ./service --node ssh://me@arm.example,platform=linux/arm64 --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opts.Paths = args
			report, err := archbuild.Doctor(c.Context(), opts, d)
			switch {
			case len(report.Checks) == 0:
			case asJSON:
				err = errors.Join(ui.WriteJSON(system.Stdout, report), err)
			default:
				err = errors.Join(report.WriteText(system.Stdout, verbose), err)
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVarP(&verbose, "verbose", "v", false, "a line for each check, also where all is well, and a table of platforms")
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	f.DurationVar(&d.Wait, "wait", 0, "how long nodes, registries and engines have to answer, all at the same time (default 1.5s)")
	f.BoolVar(&d.Register, "register-emulators", false, "first register emulators for platforms that have none, for the whole machine (root only)")
	f.BoolVar(&d.Unregister, "unregister-emulators", false, "first remove the entries that --register-emulators has made, and no others (root only)")
	templateFlags(f, &opts)
	resolveFlags(f, &opts)
	f.StringArrayVarP(&opts.Tags, "tag", "t", nil, "name and tag that would be pushed, `NAME:TAG`: may we write there? (repeatable)")
	credentialFlags(f, &opts)
	nodeFlags(f, &opts)
	stateFlags(f, &opts.Engine)
	f.StringVar(&opts.Runc, "runc", "", "the runc that would run RUN steps, a `FILE` (default beside archbuild, then PATH)")
	return c
}
