// Package ui turns values into terminal text, and hostile text into harmless
// text.
//
// Build logs, file names and registry answers are written by strangers. A
// terminal obeys what it is shown: ESC sequences move the cursor over earlier
// lines, OSC 8 and OSC 52 forge links and fill the clipboard, a lone carriage
// return overwrites the line, bidirectional controls reorder it (CVE-2021-42574).
// Everything such that reaches a terminal goes through Clean first.
//
// The package is pure: no clock, no streams but those it is handed.
package ui

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// Table writes rows in aligned columns, two spaces apart, with the header
// first. Cells are cleaned; a line break in a cell becomes a space. Rows may
// be shorter than the header. No line ends in spaces.
func Table(w io.Writer, header []string, rows [][]string) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, max(len(row), len(header)))
		for i, cell := range row {
			cells[i] = Line(cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Size writes a number of bytes as people read it, in powers of 1000 as
// registries count: "512 B", "4.9 MB", "12 GB". An unknown size (below zero)
// is "-".
func Size(bytes int64) string {
	if bytes < 0 {
		return "-"
	}
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, units := float64(bytes), "kMGTPE"
	for i, unit := range units {
		value /= 1000
		if math.Round(value) < 1000 || i == len(units)-1 {
			if value < 9.95 {
				return fmt.Sprintf("%.1f %cB", value, unit)
			}
			return fmt.Sprintf("%.0f %cB", value, unit)
		}
	}
	panic("unreachable")
}

// Duration writes a time span as people read it: "45ms", "3.2s", "2m05s",
// "1h02m". A negative one is "-".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// Digest shortens a digest to twelve characters of its hash:
// "sha256:1a2b3c4d5e6f". What is no digest comes back cleaned, as it is.
func Digest(digest string) string {
	algorithm, hash, ok := strings.Cut(digest, ":")
	if !ok || len(hash) <= 12 || strings.Trim(hash, "0123456789abcdef") != "" {
		return Line(digest)
	}
	return Line(algorithm) + ":" + hash[:12]
}

// Plural is the s of a noun of which there are n.
func Plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Few lists names, and says how many more there are.
func Few(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
