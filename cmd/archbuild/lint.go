package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

func newLint(system outside.System) *cobra.Command {
	opts := archbuild.Options{System: system}
	var format, failOn, explain string
	var asJSON, asSARIF, rules bool
	c := &cobra.Command{
		Use:   "lint PATH...",
		Short: "Say what keeps a Dockerfile from serving several platforms",
		Long: `Say what keeps a Dockerfile from serving several platforms.

PATH is the folder of a Dockerfile, or the Dockerfile itself. Nothing is built: the file is read,
with what it takes from its context, and registries are asked which platforms its bases have.
Platforms are those of --platform, else of archbuild.yaml, else linux/amd64 and linux/arm64.

A comment before an instruction, or in it, suppresses findings there; with the word global, in the
whole file. What follows the names is for readers:

  # archbuild ignore=arch-literal clients download this file
  # archbuild global ignore=emulated-compile,scratch-would-do`,
		Example: `  archbuild lint ./service
  archbuild lint ./service --platform linux/amd64,linux/arm64,linux/riscv64 --json
  archbuild lint services/*/Dockerfile --offline --sarif > archbuild.sarif
  archbuild lint --explain arch-literal`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case explain != "":
				page, err := archbuild.ExplainRule(explain)
				if err == nil {
					_, err = fmt.Fprint(system.Stdout, page)
				}
				return err
			case rules:
				return archbuild.WriteRules(system.Stdout)
			}
			format, err := lintFormat(asJSON, asSARIF, format, c.Flags().Changed("format"))
			if err != nil {
				return err
			}
			severity, err := checkLintWords(format, failOn)
			if err != nil {
				return err
			}
			opts.Paths = args
			linted, err := archbuild.Lint(c.Context(), opts)
			if err != nil && linted.Files == 0 {
				return err
			}
			err = errors.Join(writeLinted(system, linted, format), err)
			if severity != "" {
				err = errors.Join(err, linted.Fail(severity))
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	templateFlags(f, &opts)
	resolveFlags(f, &opts)
	credentialFlags(f, &opts)
	f.Lookup("platform").Usage = "`PLATFORMS` that the image is to serve (default archbuild.yaml's, DOCKER_DEFAULT_PLATFORM, linux/amd64 and linux/arm64)"
	f.Lookup("offline").Usage = "ask no registry: bases are judged by their names"
	f.BoolVar(&asJSON, "json", false, "print one JSON document: an array of findings")
	f.BoolVar(&asSARIF, "sarif", false, "print SARIF 2.1.0, for code scanning")
	f.StringVar(&format, "format", "text", "print in a `FORMAT`: text, json, sarif, github")
	f.StringVar(&failOn, "fail-on", "error", "end with status 1 when a finding is of this `SEVERITY` or worse: error, warning, info, never")
	f.StringVar(&explain, "explain", "", "show the page of the rule `ID`")
	f.BoolVar(&rules, "rules", false, "list the rules")
	nodeFlags(f, &opts)
	stateFlags(f, &opts.Engine)
	return c
}

// lintFormat is the one format that was asked for; given says that --format names one.
func lintFormat(asJSON, asSARIF bool, format string, given bool) (string, error) {
	asked := map[string]bool{"json": asJSON, "sarif": asSARIF}
	if given || !asJSON && !asSARIF {
		asked[format] = true
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if asked[name] {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		return "", &wrong.Usage{Err: fmt.Errorf("findings are printed in one format, and %s are asked for", strings.Join(names, " and ")), Help: "leave all but one of --json, --sarif and --format out"}
	}
	return names[0], nil
}

// checkLintWords reads --format and --fail-on; an empty severity never fails.
func checkLintWords(format, failOn string) (lint.Severity, error) {
	switch format {
	case "text", "json", "sarif", "github":
	default:
		return "", &wrong.Usage{Err: fmt.Errorf("--format %s: there is no such format", format), Help: "use text, json, sarif or github"}
	}
	switch s := lint.Severity(failOn); s {
	case lint.Error, lint.Warning, lint.Info:
		return s, nil
	case "never":
		return "", nil
	}
	return "", &wrong.Usage{Err: fmt.Errorf("--fail-on %s: there is no such severity", failOn), Help: "use error, warning, info or never"}
}

// writeLinted prints the findings to standard output and what else there is to say to standard error.
func writeLinted(system outside.System, linted archbuild.Linted, format string) error {
	var err error
	switch format {
	case "json":
		err = ui.WriteJSON(system.Stdout, linted.Findings)
	case "sarif":
		err = linted.WriteSARIF(system.Stdout, versionString())
	case "github":
		err = linted.WriteGitHub(system.Stdout)
	default:
		archbuild.AnnotateFindings(system, linted)
		err = linted.WriteText(system.Stdout)
	}
	for _, note := range linted.Notes {
		fmt.Fprintf(system.Stderr, "archbuild: note: %s\n", ui.Line(note))
	}
	if format == "text" {
		fmt.Fprintf(system.Stderr, "archbuild: %s\n", linted.Summary())
	}
	return err
}
