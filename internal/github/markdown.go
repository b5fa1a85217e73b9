package github

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
)

// Cell is text in a cell of a table: nothing in it is taken for Markdown or HTML.
func Cell(text string) string {
	var out strings.Builder
	for _, c := range ui.Clean(text) {
		switch {
		case c < ' ' || c == 0x7f:
			out.WriteByte(' ')
		case strings.ContainsRune("\\`*_{}[]()<>#+!|~&@", c):
			fmt.Fprintf(&out, "&#%d;", c)
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

// Code is text between backticks.
func Code(text string) string {
	return "`" + strings.Map(func(c rune) rune {
		if c < ' ' || c == '`' || c == '|' || c == 0x7f {
			return '?'
		}
		return c
	}, ui.Clean(text)) + "`"
}

// Table is a table; its cells are Markdown: see Cell and Code.
func Table(header []string, rows [][]string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, row := range rows {
		fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
	}
	return out.String()
}

// Output is one line for the file that GITHUB_OUTPUT names. It is empty for a value that is
// not one line: such a value could set other outputs.
func Output(name, value string) string {
	if value == "" || strings.ContainsAny(name+value, "\r\n") {
		return ""
	}
	return name + "=" + value + "\n"
}
