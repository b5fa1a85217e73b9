package main

import (
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// didYouMean names what a mistyped word was meant for; nothing where that is
// not known.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// nearestFlag is a flag that differs from name by one or two letters.
func nearestFlag(c *cobra.Command, name string) string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := nearest.Word(name, names); near != "" {
		return "--" + near
	}
	return ""
}

// nearestVerb is a verb below c that differs by as much from the first of args.
func nearestVerb(c *cobra.Command, args []string) string {
	if c == nil || len(args) == 0 {
		return ""
	}
	var names []string
	for _, verb := range c.Commands() {
		if !verb.Hidden {
			names = append(names, verb.Name())
		}
	}
	return nearest.Word(strings.ToLower(args[0]), names)
}
