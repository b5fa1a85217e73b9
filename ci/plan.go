package ci

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/platform"
)

const (
	// PlanFormat is the version of the document that this package writes and reads.
	PlanFormat = 1
	maxPlan    = 4 << 20
)

// Plan is what a pipeline is going to do: the legs to run, and the sets that are to
// come of them.
type Plan struct {
	Format    int    `json:"format"`
	Archbuild string `json:"archbuild,omitempty"`
	Run       string `json:"run,omitempty"`
	Commit    string `json:"commit,omitempty"`
	// Record is where the legs leave their records.
	Record   string    `json:"record,omitempty"`
	Services []Service `json:"services"`

	// File is where the plan is kept, if it is: assembling then goes by it.
	File string `json:"-"`
}

// Service is one image to come.
type Service struct {
	Name string `json:"name"`
	// Path of its context, as it was given.
	Path   string   `json:"path"`
	Inputs Inputs   `json:"inputs"`
	Tags   []string `json:"tags,omitempty"`
	// Run of its legs, where it is not the plan's: images that share a repository would
	// leave their records under one tag.
	Run string `json:"run,omitempty"`
	// Named is what the tags name now, by full name; empty is a tag that is new.
	Named map[string]digest.Digest `json:"named,omitempty"`
	// Platforms is the whole set, in the order of the index.
	Platforms []platform.Platform `json:"platforms"`
	Legs      []Leg               `json:"legs"`
	// Kept are the records of the platforms for which no leg runs: nothing of them changed.
	Kept []Record `json:"kept,omitempty"`
}

// Leg is one job of the matrix.
type Leg struct {
	// Name is service-linux-arm64: fit for the name of a job, a file, an artifact.
	Name     string            `json:"name"`
	Platform platform.Platform `json:"platform"`
	// Runner is the label of the machines that the job is for.
	Runner string `json:"runner"`
	// Args are those of archbuild build.
	Args []string `json:"args"`
	// Builds are services that the leg builds as well, because its own stands on them. Their
	// images are pushed by their own legs alone.
	Builds []string `json:"builds,omitempty"`
	// Why the leg has to run, where that was asked.
	Why string `json:"why,omitempty"`
}

// JSON is the plan as a file has it.
func (p Plan) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		return nil, fmt.Errorf("writing the plan: %w", err)
	}
	return out.Bytes(), nil
}

// ReadPlan reads what JSON wrote, as suspiciously as a record; from is how errors
// call the place. Every error is a *PlanError.
func ReadPlan(from string, source io.Reader) (Plan, error) {
	const help = "take what archbuild ci plan --format json wrote"
	fail := func(problem string) (Plan, error) { return Plan{}, &PlanError{from, problem, help} }
	body, err := io.ReadAll(io.LimitReader(source, maxPlan+1))
	switch {
	case err != nil:
		return fail("it cannot be read: " + err.Error())
	case len(body) > maxPlan:
		return fail(fmt.Sprintf("it has more than %d bytes", maxPlan))
	}
	var p Plan
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return fail("it is no plan: " + err.Error())
	}
	if p.Format != PlanFormat {
		return fail(fmt.Sprintf("it has format %d, and this archbuild reads %d", p.Format, PlanFormat))
	}
	for _, s := range p.Services {
		if problem := s.check(); problem != "" {
			return fail(problem)
		}
	}
	return p, nil
}

// check says what is wrong with a service of a plan, or nothing.
func (s Service) check() string {
	if len(s.Platforms) == 0 || len(s.Platforms) > maxPlatforms || !isDigest(s.Inputs.Digest) {
		return fmt.Sprintf("%.40q has no platforms, too many, or no inputs", s.Name)
	}
	for i, p := range s.Platforms {
		if p.OS == "" || slices.Contains(s.Platforms[:i], p) {
			return fmt.Sprintf("the platforms of %.40q are no set", s.Name)
		}
	}
	for _, r := range s.Kept {
		sum, err := r.sum()
		if problem := r.check(); problem != "" || err != nil || sum != r.Digest {
			return fmt.Sprintf("a record in it, for %s, is none", r.Platform)
		}
	}
	return ""
}

// Service finds the service that has these tags, or the only one there is.
func (p Plan) Service(tags []string) (Service, bool) {
	if len(p.Services) == 1 {
		return p.Services[0], true
	}
	i := slices.IndexFunc(p.Services, func(s Service) bool { return slices.Equal(s.Tags, tags) })
	if i < 0 {
		return Service{}, false
	}
	return p.Services[i], true
}

// RunOf is the name of the run for the legs of a service.
func (p Plan) RunOf(s Service) string { return cmp.Or(s.Run, p.Run) }

// Legs are those of all services.
func (p Plan) Legs() []Leg {
	var all []Leg
	for _, s := range p.Services {
		all = append(all, s.Legs...)
	}
	return all
}
