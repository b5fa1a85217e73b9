package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newDocs is the hidden verb that writes docs/cli.md, so that the page cannot
// say anything else than --help.
func newDocs(root *cobra.Command) *cobra.Command {
	docs := &cobra.Command{
		Use: "docs", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return writeReference(ui.Exact(c.OutOrStdout()), root)
		},
	}
	docs.AddCommand(newMan(root), newDocsMake())
	return docs
}

// referenceHead is what holds for every verb.
const referenceHead = `# Command line

Written by ` + "`make docs`" + ` from the program itself; ` + "`archbuild VERB --help`" + ` says the same.

The verb build may be left out: ` + "`archbuild PATH`" + ` builds. Results go to standard output,
everything else to standard error. Exit status of every verb: 0 done, 1 failed, 2 wrong usage,
3 verification failed.

| verb | |
|---|---|
`

func writeReference(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, c := range root.Commands() {
		if !c.Hidden {
			fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.Name(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
		}
	}
	for _, c := range root.Commands() {
		writeVerb(&b, c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeVerb(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || !c.Runnable() {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", c.CommandPath())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "%s\n\n    %s\n", text, c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nExample:\n\n%s\n", indent(c.Example))
	}
	if c.Flags().HasFlags() {
		b.WriteString("\n| flag | meaning |\n|---|---|\n")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			name := "--" + f.Name
			if f.Shorthand != "" {
				name = "-" + f.Shorthand + ", " + name
			}
			value, usage := pflag.UnquoteUsage(f)
			fmt.Fprintf(b, "| `%s` | %s |\n", strings.TrimSpace(name+" "+value), strings.ReplaceAll(usage, "|", `\|`))
		})
	}
	for _, sub := range c.Commands() {
		writeVerb(b, sub)
	}
}

func indent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = "    " + strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
