package dispatch

import (
	"errors"
	"strings"
)

// reason is why a node is lost, without its name where the error can leave it out.
func reason(err error) string {
	var cause interface{ Reason() string }
	if errors.As(err, &cause) {
		line, _, _ := strings.Cut(cause.Reason(), "\n")
		return line
	}
	return firstLine(err)
}

// firstLine is what an error says in one line.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
