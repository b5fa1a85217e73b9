package outside

import (
	"io"
	"strings"
)

// System is the world outside: passed in, so that tests have their own.
type System struct {
	// Environ in the form of os.Environ.
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Terminal says that somebody sits in front of Stdin and Stderr, and can be asked.
	Terminal bool
	// Version of archbuild, for records and user agents.
	Version string
	// Executable re-executes archbuild as the engine; empty means this program.
	Executable []string
	// OnNodes is told how many nodes there are when they have answered; it may be nil.
	OnNodes func(nodes int)
}

// Getenv looks up the environment that was passed in; the last entry wins.
func (s System) Getenv(key string) string {
	value, _ := s.LookupEnv(key)
	return value
}

// LookupEnv looks it up, and says whether it is there at all.
func (s System) LookupEnv(key string) (value string, found bool) {
	for _, entry := range s.Environ {
		if k, v, ok := strings.Cut(entry, "="); ok && k == key {
			value, found = v, true
		}
	}
	return value, found
}
