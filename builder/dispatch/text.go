package dispatch

import "strings"

// firstLine is what an error says in one line.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
