// Package pages holds the documentation of lint's rules, a page each.
package pages

import "embed"

// Files are the pages, ID.md each.
//
//go:embed *.md
var Files embed.FS
