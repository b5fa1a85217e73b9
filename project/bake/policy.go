package bake

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tonistiigi/go-csvvalue"
	"github.com/zclconf/go-cty/cty"
)

// policy is an element of policy: a file that says which sources a build may have. archbuild evaluates
// none, so a target that has one is not built as if it had not.
type policy struct {
	Files    []policyFile
	Reset    bool
	Disabled bool
	Strict   *bool
	LogLevel *string
}

type policyFile struct {
	Filename string
	Data     []byte
}

type policies []policy

var levels = []string{"panic", "fatal", "error", "warning", "info", "debug", "trace"}

// FromCtyValue reads the value of policy.
func (p *policies) FromCtyValue(in cty.Value, _ cty.Path) error {
	*p = policies{}
	return elements(in, func(v cty.Value) (err error) {
		var one policy
		if v.Type() == cty.String {
			one, err = parsePolicy(v.AsString())
		} else {
			var fields map[string]string
			if fields, err = object(v); err == nil {
				one, err = readPolicy(fields)
			}
		}
		*p = append(*p, one)
		return err
	})
}

// ToCtyValue is the value that expressions see.
func (p policies) ToCtyValue() cty.Value {
	if len(p) == 0 {
		return cty.ListValEmpty(cty.Map(cty.String))
	}
	var all []cty.Value
	for _, one := range p {
		values := map[string]cty.Value{}
		for key, value := range one.fields() {
			values[key] = cty.StringVal(value)
		}
		if len(values) == 0 {
			all = append(all, cty.MapValEmpty(cty.String))
			continue
		}
		all = append(all, cty.MapVal(values))
	}
	return cty.ListVal(all)
}

func (p policy) fields() map[string]string {
	fields := map[string]string{}
	if len(p.Files) > 0 {
		fields["filename"] = p.Files[0].Filename
	}
	if p.Reset {
		fields["reset"] = "true"
	}
	if p.Disabled {
		fields["disabled"] = "true"
	}
	if p.Strict != nil {
		fields["strict"] = fmt.Sprint(*p.Strict)
	}
	if p.LogLevel != nil {
		fields["log-level"] = *p.LogLevel
	}
	return fields
}

func parsePolicy(text string) (policy, error) {
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return policy{}, err
	}
	found := map[string]string{}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return policy{}, fmt.Errorf("%q is no KEY=VALUE", field)
		}
		found[strings.TrimSpace(strings.ToLower(key))] = value
	}
	return readPolicy(found)
}

func readPolicy(fields map[string]string) (policy, error) {
	var p policy
	for key, value := range fields {
		var err error
		switch key {
		case "filename":
			if value != "" {
				p.Files = []policyFile{{Filename: value}}
			}
		case "reset":
			p.Reset, err = boolean(value)
		case "disabled":
			p.Disabled, err = boolean(value)
		case "strict":
			var yes bool
			yes, err = boolean(value)
			p.Strict = &yes
		case "log-level":
			level := strings.ToLower(value)
			if level == "warn" {
				level = "warning"
			}
			if !slices.Contains(levels, level) {
				err = fmt.Errorf("%q is no level: %s", value, strings.Join(levels, ", "))
			}
			p.LogLevel = &level
		default:
			err = fmt.Errorf("policy has no %q", key)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}
