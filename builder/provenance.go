package builder

import (
	"encoding/json"
	"fmt"
	"strings"

	provenance "github.com/moby/buildkit/solver/llbsolver/provenance/types"
)

// slsa begins the type of every provenance statement, slsa1 that of version 1.
const (
	slsa  = "https://slsa.dev/provenance/"
	slsa1 = slsa + "v1"
)

// IsProvenance says whether a statement of this type is about how an image was made.
func IsProvenance(predicateType string) bool { return strings.HasPrefix(predicateType, slsa) }

// Provenance is what a statement beside an image says, in the form in which buildx
// writes it into its metadata file: SLSA 0.2. Unless all is wanted, the steps and
// the times are left out.
func Provenance(statement []byte, all bool) (json.RawMessage, error) {
	var s struct {
		Type      string          `json:"predicateType"`
		Predicate json.RawMessage `json:"predicate"`
	}
	err := json.Unmarshal(statement, &s)
	var p *provenance.ProvenancePredicateSLSA02
	switch {
	case err != nil:
	case s.Type == slsa1:
		var newer provenance.ProvenancePredicateSLSA1
		if err = json.Unmarshal(s.Predicate, &newer); err == nil {
			p = newer.ConvertToSLSA02()
		}
	default:
		err = json.Unmarshal(s.Predicate, &p)
	}
	if err != nil || p == nil {
		return nil, fmt.Errorf("reading provenance: %w", err)
	}
	if !all {
		p.BuildConfig, p.Metadata = nil, nil
	}
	return json.Marshal(p)
}
