package main

import (
	"fmt"
	"strconv"

	"github.com/archbuild/archbuild"
	"github.com/spf13/pflag"
)

// resumeFlags say whether results of former runs are taken. The last one counts.
func resumeFlags(f *pflag.FlagSet, opts *archbuild.Options) {
	set := func(wanted bool) func(string) error {
		return func(text string) error {
			said, err := strconv.ParseBool(text)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", text)
			}
			opts.Resume = strconv.FormatBool(said == wanted)
			return nil
		}
	}
	f.BoolFunc("resume", "take platforms whose inputs are unchanged from the last run, and say why where that cannot be (default: take them, and say nothing)", set(true))
	f.BoolFunc("no-resume", "ask a node for every platform, also for those whose inputs are unchanged since the last run", set(false))
}
