package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/archbuild/archbuild/internal/whole"
)

// newMan is the hidden verb that writes the manual pages, one for each verb:
// archbuild.1, archbuild-build.1, archbuild-engine-prune.1.
func newMan(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing the manual: %w", err)
			}
			return writeMan(args[0], root)
		},
	}
}

func writeMan(dir string, c *cobra.Command) error {
	if c.Hidden && c.HasParent() {
		return nil
	}
	name := filepath.Join(dir, manName(c)+".1")
	if err := whole.Write(name, []byte(manPage(c))); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	for _, verb := range c.Commands() {
		if err := writeMan(dir, verb); err != nil {
			return err
		}
	}
	return nil
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is a verb's page: what --help says, in the form of man(7). No date is
// in it, so that the same program has the same pages.
func manPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"archbuild %s\" \"archbuild manual\"\n", roff(strings.ToUpper(manName(c))), roff(versionString()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n")
	writeRoff(&b, text)
	manVerbs(&b, c)
	manFlags(&b, c)
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s.fi\n", roffLines(strings.TrimRight(c.Example, "\n")+"\n"))
	}
	b.WriteString(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 verification failed.\n")
	manRelated(&b, c)
	return b.String()
}

func manVerbs(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	b.WriteString(".SH VERBS\n")
	for _, verb := range c.Commands() {
		if !verb.Hidden {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(verb.Name()), roff(verb.Short))
		}
	}
}

func manFlags(b *strings.Builder, c *cobra.Command) {
	wrote := false
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		if !wrote {
			b.WriteString(".SH OPTIONS\n")
			wrote = true
		}
		names := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			names = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + names
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			names += ` \fI` + roff(value) + `\fR`
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", names, roff(usage))
	})
}

func manRelated(b *strings.Builder, c *cobra.Command) {
	var pages []string
	if c.HasParent() {
		pages = append(pages, manName(c.Parent()))
	}
	for _, verb := range c.Commands() {
		if !verb.Hidden {
			pages = append(pages, manName(verb))
		}
	}
	if len(pages) == 0 {
		return
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, page := range pages {
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(page), end)
	}
}

// writeRoff writes paragraphs; lines that are indented stand as they are.
func writeRoff(b *strings.Builder, text string) {
	indented := false
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		if now := strings.HasPrefix(line, "  "); now != indented {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[now])
			indented = now
		}
		if strings.TrimSpace(line) == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(roffLines(line))
	}
	if indented {
		b.WriteString(".fi\n")
	}
}

// roffLines makes each line stand for itself.
func roffLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(roff(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

// roff makes a text stand for itself: a dot or a quote at a line's start would
// be a request, a hyphen be set as one, and what is not ASCII be guessed at.
func roff(text string) string {
	var b strings.Builder
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		b.WriteString(`\&`)
	}
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r > 126:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
