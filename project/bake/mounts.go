package bake

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/tonistiigi/go-csvvalue"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// secret is an element of secret: where its value is, never the value.
type secret struct {
	ID   string `json:"id,omitempty"`
	Path string `json:"src,omitempty"`
	Env  string `json:"env,omitempty"`
}

// String is the secret in the flag's form.
func (s secret) String() string {
	var fields []string
	for _, f := range [][2]string{{"id", s.ID}, {"src", s.Path}, {"env", s.Env}} {
		if f[1] != "" {
			fields = append(fields, f[0]+"="+f[1])
		}
	}
	return joinFields(fields)
}

type secrets []secret

// FromCtyValue reads the value of secret.
func (s *secrets) FromCtyValue(in cty.Value, _ cty.Path) error {
	*s = secrets{}
	return elements(in, func(v cty.Value) (err error) {
		var one secret
		if v.Type() == cty.String {
			one, err = parseSecret(v.AsString())
		} else {
			var fields map[string]string
			fields, err = known(v, "id", "src", "env")
			one = secret{fields["id"], fields["src"], fields["env"]}
		}
		*s = append(*s, one)
		return err
	})
}

// ToCtyValue is the value that expressions see.
func (s secrets) ToCtyValue() cty.Value {
	var all []cty.Value
	for _, one := range s {
		all = append(all, cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal(one.ID), "src": cty.StringVal(one.Path), "env": cty.StringVal(one.Env)}))
	}
	return listOf(all, map[string]cty.Type{"id": cty.String, "src": cty.String, "env": cty.String})
}

// parseSecret reads a secret in the flag's form.
func parseSecret(text string) (secret, error) {
	var s secret
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return s, err
	}
	typ := ""
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return s, fmt.Errorf("%q is no KEY=VALUE", field)
		}
		switch strings.ToLower(key) {
		case "type":
			if typ = value; typ != "file" && typ != "env" {
				return s, fmt.Errorf("a secret has no type %q: file or env", typ)
			}
		case "id":
			s.ID = value
		case "src", "source":
			s.Path = value
		case "env":
			s.Env = value
		default:
			return s, fmt.Errorf("a secret has no %q: id, src or env", key)
		}
	}
	if typ == "env" && s.Env == "" {
		s.Env, s.Path = s.Path, ""
	}
	return s, nil
}

// sshKey is an element of ssh: an agent, or keys for one.
type sshKey struct {
	ID    string   `json:"id,omitempty"`
	Paths []string `json:"paths,omitempty"`
}

// String is the element in the flag's form.
func (k sshKey) String() string {
	if len(k.Paths) == 0 {
		return k.ID
	}
	return k.ID + "=" + strings.Join(k.Paths, ",")
}

type sshKeys []sshKey

// FromCtyValue reads the value of ssh.
func (k *sshKeys) FromCtyValue(in cty.Value, _ cty.Path) error {
	*k = sshKeys{}
	return elements(in, func(v cty.Value) error {
		if v.Type() == cty.String {
			*k = append(*k, parseKey(v.AsString()))
			return nil
		}
		conv, err := convert.Convert(v, cty.ObjectWithOptionalAttrs(map[string]cty.Type{"id": cty.String, "paths": cty.List(cty.String)}, []string{"id", "paths"}))
		if err != nil {
			return err
		}
		var one sshKey
		if id := conv.GetAttr("id"); !id.IsNull() {
			one.ID = id.AsString()
		}
		if paths := conv.GetAttr("paths"); !paths.IsNull() {
			for _, p := range paths.AsValueSlice() {
				if p.IsNull() {
					return errors.New("a path of ssh is null")
				}
				one.Paths = append(one.Paths, p.AsString())
			}
		}
		*k = append(*k, one)
		return nil
	})
}

// ToCtyValue is the value that expressions see.
func (k sshKeys) ToCtyValue() cty.Value {
	var all []cty.Value
	for _, one := range k {
		paths := cty.ListValEmpty(cty.String)
		if len(one.Paths) > 0 {
			var each []cty.Value
			for _, p := range one.Paths {
				each = append(each, cty.StringVal(p))
			}
			paths = cty.ListVal(each)
		}
		all = append(all, cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal(one.ID), "paths": paths}))
	}
	return listOf(all, map[string]cty.Type{"id": cty.String, "paths": cty.List(cty.String)})
}

func parseKey(text string) sshKey {
	id, paths, ok := strings.Cut(text, "=")
	if !ok {
		return sshKey{ID: id}
	}
	return sshKey{ID: id, Paths: strings.Split(paths, ",")}
}

func listOf(all []cty.Value, attrs map[string]cty.Type) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.Object(attrs))
	}
	return cty.ListVal(all)
}

// known is an object of strings that has no other keys.
func known(v cty.Value, keys ...string) (map[string]string, error) {
	types := map[string]cty.Type{}
	for _, key := range keys {
		types[key] = cty.String
	}
	conv, err := convert.Convert(v, cty.ObjectWithOptionalAttrs(types, keys))
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for key, value := range conv.AsValueMap() {
		if value.IsKnown() && !value.IsNull() {
			fields[key] = value.AsString()
		}
	}
	return fields, nil
}

// resources limit what a step may use. archbuild has no flag for them.
type resources struct {
	Memory     *string `json:"memory,omitempty"`
	MemorySwap *string `json:"memory-swap,omitempty"`
	CPUShares  *int64  `json:"cpu-shares,omitempty"`
	CPUPeriod  *int64  `json:"cpu-period,omitempty"`
	CPUQuota   *int64  `json:"cpu-quota,omitempty"`
	CPUSetCPUs *string `json:"cpuset-cpus,omitempty"`
	CPUSetMems *string `json:"cpuset-mems,omitempty"`
}

var resourceKeys = []string{"memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"}

// merge is r with what o has on top.
func (r *resources) merge(o *resources) *resources {
	var merged resources
	if r != nil {
		merged = *r
	}
	over(&merged.Memory, o.Memory)
	over(&merged.MemorySwap, o.MemorySwap)
	over(&merged.CPUShares, o.CPUShares)
	over(&merged.CPUPeriod, o.CPUPeriod)
	over(&merged.CPUQuota, o.CPUQuota)
	over(&merged.CPUSetCPUs, o.CPUSetCPUs)
	over(&merged.CPUSetMems, o.CPUSetMems)
	return &merged
}

// set sets one limit by its key.
func (r *resources) set(key, value string) error {
	texts := map[string]**string{"memory": &r.Memory, "memory-swap": &r.MemorySwap, "cpuset-cpus": &r.CPUSetCPUs, "cpuset-mems": &r.CPUSetMems}
	numbers := map[string]**int64{"cpu-shares": &r.CPUShares, "cpu-period": &r.CPUPeriod, "cpu-quota": &r.CPUQuota}
	if text, ok := texts[key]; ok {
		*text = &value
		return nil
	}
	number, ok := numbers[key]
	if !ok {
		return fmt.Errorf("resources has no %q: %s", key, strings.Join(resourceKeys, ", "))
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("resources.%s is a whole number, not %q", key, value)
	}
	*number = &n
	return nil
}

// FromCtyValue reads the value of resources.
func (r *resources) FromCtyValue(in cty.Value, _ cty.Path) error {
	fields, err := known(in, resourceKeys...)
	for key, value := range fields {
		if err == nil {
			err = r.set(key, value)
		}
	}
	return err
}

// ToCtyValue is the value that expressions see.
func (r *resources) ToCtyValue() cty.Value {
	types, values := map[string]cty.Type{}, map[string]cty.Value{}
	for _, key := range resourceKeys {
		types[key] = cty.String
		if strings.HasPrefix(key, "cpu-") {
			types[key] = cty.Number
		}
		values[key] = cty.NullVal(types[key])
	}
	if r == nil {
		return cty.NullVal(cty.Object(types))
	}
	for key, text := range map[string]*string{"memory": r.Memory, "memory-swap": r.MemorySwap, "cpuset-cpus": r.CPUSetCPUs, "cpuset-mems": r.CPUSetMems} {
		if text != nil {
			values[key] = cty.StringVal(*text)
		}
	}
	for key, number := range map[string]*int64{"cpu-shares": r.CPUShares, "cpu-period": r.CPUPeriod, "cpu-quota": r.CPUQuota} {
		if number != nil {
			values[key] = cty.NumberVal(new(big.Float).SetInt64(*number))
		}
	}
	return cty.ObjectVal(values)
}
