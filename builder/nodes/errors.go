package nodes

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Error says that a node was named in a way that cannot be meant.
type Error struct {
	// Address as it was given, empty if none was; a password in it is left out of messages.
	Address string
	What    string
	Help    string
}

func (e *Error) Error() string {
	if e.Address == "" {
		return e.What
	}
	return fmt.Sprintf("node %s: %s", Shown(e.Address), e.What)
}

// Hint is the one thing to do next.
func (e *Error) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *Error) ExitStatus() int { return 2 }

// failure makes the error about a key of a node.
type failure func(key, what, hint string) error

// addressed is the failure of a node that was given as one word.
func addressed(address string) failure {
	return func(_, what, hint string) error { return &Error{address, what, hint} }
}

// password is the part of an address that no message repeats.
var password = regexp.MustCompile(`^([a-z-]*://[^/@:]*):[^/]*@`)

// Shown is an address as messages show it: without a password, and in quotes
// where it holds what is no plain text.
func Shown(address string) string {
	return quoted(password.ReplaceAllString(address, "$1:***@"))
}

// quoted puts text in quotes unless it is plain.
func quoted(text string) string {
	if q := strconv.QuoteToASCII(text); text == "" || len(q) != len(text)+2 {
		return q
	}
	return text
}

func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
