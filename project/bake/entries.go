package bake

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tonistiigi/go-csvvalue"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// entry is one element of cache-from, cache-to, output or attest: a type and attributes. A file has it as an object,
// {type = "registry", ref = "shop/cache"}, or in the flag's form, "type=registry,ref=shop/cache".
type entry struct {
	typ, dest string // dest is that of an output
	disabled  bool   // of an attestation
	attrs     map[string]string
}

func (e entry) equal(o entry) bool {
	return e.typ == o.typ && e.dest == o.dest && e.disabled == o.disabled && maps.Equal(e.attrs, o.attrs)
}

// String is the entry in the flag's form.
func (e entry) String() string {
	fields := []string{"type=" + e.typ}
	if e.dest != "" {
		fields = append(fields, "dest="+e.dest)
	}
	if e.disabled {
		fields = append(fields, "disabled=true")
	}
	for _, key := range slices.Sorted(maps.Keys(e.attrs)) {
		fields = append(fields, key+"="+e.attrs[key])
	}
	return joinFields(fields)
}

// MarshalJSON writes the entry as one object.
func (e entry) MarshalJSON() ([]byte, error) {
	object := map[string]any{"type": e.typ}
	for key, value := range e.attrs {
		object[key] = value
	}
	object["type"] = e.typ
	if e.dest != "" {
		object["dest"] = e.dest
	}
	if e.disabled {
		object["disabled"] = true
	}
	return json.Marshal(object)
}

// values are the attributes as expressions see them: target.app.output[0].type.
func (e entry) values() map[string]cty.Value {
	values := map[string]cty.Value{"type": cty.StringVal(e.typ)}
	for key, value := range e.attrs {
		values[key] = cty.StringVal(value)
	}
	values["type"] = cty.StringVal(e.typ)
	if e.disabled {
		values["disabled"] = cty.StringVal("true")
	}
	return values
}

type (
	caches  []entry
	outputs []entry
	attests []entry
)

// FromCtyValue reads the value of cache-from and cache-to.
func (c *caches) FromCtyValue(in cty.Value, _ cty.Path) error {
	*c = caches{}
	return elements(in, func(v cty.Value) error {
		if v.Type() == cty.String {
			more, err := parseCaches(v.AsString())
			*c = append(*c, more...)
			return err
		}
		fields, err := object(v)
		if err != nil {
			return err
		}
		e := entry{typ: fields["type"]}
		delete(fields, "type")
		e.attrs = fields
		*c = append(*c, e)
		return e.typed()
	})
}

// ToCtyValue is the value that expressions see.
func (c caches) ToCtyValue() cty.Value { return mapsOf(c, entry.values) }

// FromCtyValue reads the value of output.
func (o *outputs) FromCtyValue(in cty.Value, _ cty.Path) error {
	*o = outputs{}
	return elements(in, func(v cty.Value) (err error) {
		var e entry
		if v.Type() == cty.String {
			e, err = parseOutput(v.AsString())
		} else if e.attrs, err = object(v); err == nil {
			e.typ, e.dest = e.attrs["type"], e.attrs["dest"]
			delete(e.attrs, "type")
			delete(e.attrs, "dest")
			err = e.typed()
		}
		*o = append(*o, e)
		return err
	})
}

// ToCtyValue is the value that expressions see.
func (o outputs) ToCtyValue() cty.Value {
	return mapsOf(o, func(e entry) map[string]cty.Value {
		values := e.values()
		values["dest"] = cty.StringVal(e.dest)
		return values
	})
}

// FromCtyValue reads the value of attest.
func (a *attests) FromCtyValue(in cty.Value, _ cty.Path) error {
	*a = attests{}
	return elements(in, func(v cty.Value) (err error) {
		var e entry
		if v.Type() == cty.String {
			e, err = parseAttest(v.AsString())
		} else if e.attrs, err = object(v); err == nil {
			e.typ = e.attrs["type"]
			e.disabled, err = boolean(e.attrs["disabled"])
			delete(e.attrs, "type")
			delete(e.attrs, "disabled")
		}
		*a = append(*a, e)
		return err
	})
}

// ToCtyValue is the value that expressions see.
func (a attests) ToCtyValue() cty.Value { return mapsOf(a, entry.values) }

// typed says whether an entry has a type: without it, nothing else can be understood.
func (e entry) typed() error {
	if e.typ == "" {
		return errors.New("an entry has no type")
	}
	return nil
}

// parseCaches reads caches in the flag's form; without any =, each field is a repository.
func parseCaches(text string) (caches, error) {
	fields, err := csvvalue.Fields(text, nil)
	if err != nil || text == "" {
		return nil, err
	}
	var found caches
	if !strings.Contains(text, "=") {
		for _, field := range fields {
			found = append(found, entry{typ: "registry", attrs: map[string]string{"ref": field}})
		}
		return found, nil
	}
	e := entry{attrs: map[string]string{}}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no KEY=VALUE", field)
		}
		if key = strings.ToLower(key); key == "type" {
			e.typ = value
		} else {
			e.attrs[key] = value
		}
	}
	return caches{e}, e.typed()
}

// parseOutput reads an output in the flag's form: a folder, - for an archive to standard output, or fields.
func parseOutput(text string) (entry, error) {
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return entry{}, err
	}
	e := entry{attrs: map[string]string{}}
	if len(fields) == 1 && fields[0] == text && !strings.HasPrefix(text, "type=") {
		e.typ, e.dest = "local", text
		if text == "-" {
			e.typ = "tar"
		}
		return e, nil
	}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return e, fmt.Errorf("%q is no KEY=VALUE", field)
		}
		switch key = strings.TrimSpace(strings.ToLower(key)); key {
		case "type":
			e.typ = value
		case "dest":
			e.dest = value
		default:
			e.attrs[key] = value
		}
	}
	return e, e.typed()
}

// parseAttest reads an attestation in the flag's form.
func parseAttest(text string) (entry, error) {
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return entry{}, err
	}
	e := entry{attrs: map[string]string{}}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return e, fmt.Errorf("%q is no KEY=VALUE", field)
		}
		switch strings.TrimSpace(strings.ToLower(key)) {
		case "type":
			e.typ = value
		case "disabled":
			if e.disabled, err = boolean(value); err != nil {
				return e, err
			}
		default:
			e.attrs[key] = value
		}
	}
	return e, e.typed()
}

func boolean(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%q is not true or false", text)
	}
	return yes, nil
}

// elements calls a function for what a list has; empty strings are left out.
func elements(in cty.Value, do func(cty.Value) error) error {
	if t := in.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return fmt.Errorf("a list is wanted, and this is a %s", t.FriendlyName())
	}
	for it := in.ElementIterator(); it.Next(); {
		_, v := it.Element()
		if !v.IsKnown() || !v.IsNull() && v.Type() == cty.String && v.AsString() == "" {
			continue
		}
		if v.IsNull() {
			return errors.New("an element of the list is null")
		}
		if err := do(v); err != nil {
			return err
		}
	}
	return nil
}

// object is an object of strings; what is null in it is left out.
func object(v cty.Value) (map[string]string, error) {
	conv, err := convert.Convert(v, cty.Map(cty.String))
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

// mapsOf is a list of maps of strings, whose type is the same when it is empty.
func mapsOf[S ~[]entry](list S, values func(entry) map[string]cty.Value) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.Map(cty.String))
	}
	var all []cty.Value
	for _, e := range list {
		all = append(all, cty.MapVal(values(e)))
	}
	return cty.ListVal(all)
}

// joinFields writes fields as one line of CSV, as flags have them.
func joinFields(fields []string) string {
	var text strings.Builder
	for i, field := range fields {
		if i > 0 {
			text.WriteByte(',')
		}
		if strings.ContainsAny(field, ",\"\n\r") {
			var quoted strings.Builder
			w := csv.NewWriter(&quoted)
			// A strings.Builder takes everything.
			_ = w.Write([]string{field})
			w.Flush()
			field = strings.TrimSuffix(quoted.String(), "\n")
		}
		text.WriteString(field)
	}
	return text.String()
}
