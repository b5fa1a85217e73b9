package verify

import "fmt"

// FindingsError says that an image is not what it should be. First is the first
// of its serious findings, Errors is how many there are.
type FindingsError struct {
	Image  string
	First  Finding
	Errors int
}

// Failed is a *FindingsError, or nil when nothing serious is among the findings.
func Failed(image string, findings []Finding) error {
	e := &FindingsError{Image: image}
	for _, f := range findings {
		if f.Severity != SeverityError {
			continue
		}
		if e.Errors == 0 {
			e.First = f
		}
		e.Errors++
	}
	if e.Errors == 0 {
		return nil
	}
	return e
}

func (e *FindingsError) Error() string {
	about := e.Image
	if e.First.Platform != "" && e.First.Kind == KindProgram || e.First.Kind == KindPlatform && e.First.Found != "" {
		about = fmt.Sprintf("%s: the image for %s does not fit its platform", e.Image, e.First.Platform)
	}
	text := fmt.Sprintf("%s: %s", about, e.First.Message)
	if e.Errors > 1 {
		text += fmt.Sprintf(" (and %d more)", e.Errors-1)
	}
	return text
}

// Hint is what to do about the first.
func (e *FindingsError) Hint() string { return e.First.Hint }

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *FindingsError) ExitStatus() int { return 3 }
