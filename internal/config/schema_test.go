package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/platform"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// schema is the part of JSON Schema (draft 7) that archbuild.schema.json uses.
// Any other keyword in it fails the tests.
type schema struct {
	Draft       string             `json:"$schema"`
	Ref         string             `json:"$ref"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Type        any                `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	Names       *schema            `json:"propertyNames"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Unique      bool               `json:"uniqueItems"`
	Required    []string           `json:"required"`
	Enum        []any              `json:"enum"`
	Pattern     string             `json:"pattern"`
	MinLength   int                `json:"minLength"`
	MaxLength   int                `json:"maxLength"`
	AnyOf       []*schema          `json:"anyOf"`
	Examples    []any              `json:"examples"`
	Definitions map[string]*schema `json:"definitions"`
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := os.ReadFile("../../docs/archbuild.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return parseSchema(t, data)
}

func parseSchema(t *testing.T, data []byte) *schema {
	t.Helper()
	s := &schema{}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// checker holds values against a schema.
type checker struct {
	t    *testing.T
	root *schema
}

// check tells what is wrong with a value, or nothing.
func (c checker) check(s *schema, value any) error {
	c.t.Helper()
	if s.Ref != "" {
		definition := c.root.Definitions[strings.TrimPrefix(s.Ref, "#/definitions/")]
		if definition == nil {
			c.t.Fatalf("no definition %s", s.Ref)
		}
		return c.check(definition, value)
	}
	if s.Type != nil && !isOfType(s.Type, value) {
		return fmt.Errorf("%v is no %v", value, s.Type)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, value) {
		return fmt.Errorf("%v is none of %v", value, s.Enum)
	}
	if s.AnyOf != nil {
		var errs []error
		for _, one := range s.AnyOf {
			errs = append(errs, c.check(one, value))
		}
		if !slices.Contains(errs, nil) {
			return errors.Join(errs...)
		}
	}
	switch v := value.(type) {
	case string:
		return c.text(s, v)
	case []any:
		return c.list(s, v)
	case map[string]any:
		return c.object(s, v)
	}
	return nil
}

func isOfType(allowed, value any) bool {
	names, several := allowed.([]any)
	if !several {
		names = []any{allowed}
	}
	is := map[reflect.Kind]string{
		reflect.Invalid: "null", reflect.String: "string", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Map: "object",
		reflect.Float64: "number", reflect.Uint64: "number", reflect.Int64: "number",
	}[reflect.ValueOf(value).Kind()]
	return slices.Contains(names, any(is))
}

func (c checker) text(s *schema, v string) error {
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
		return fmt.Errorf("%q does not fit %s", v, s.Pattern)
	}
	if len(v) < s.MinLength || s.MaxLength > 0 && len(v) > s.MaxLength {
		return fmt.Errorf("%.20q is too short or too long", v)
	}
	return nil
}

func (c checker) list(s *schema, list []any) error {
	var errs []error
	for i, item := range list {
		if s.Items != nil {
			errs = append(errs, c.check(s.Items, item))
		}
		if s.Unique && slices.ContainsFunc(list[:i], func(other any) bool { return reflect.DeepEqual(item, other) }) {
			errs = append(errs, fmt.Errorf("%v twice", item))
		}
	}
	return errors.Join(errs...)
}

func (c checker) object(s *schema, object map[string]any) error {
	var errs []error
	for _, key := range s.Required {
		if _, given := object[key]; !given {
			errs = append(errs, fmt.Errorf("no %s", key))
		}
	}
	for key, value := range object {
		if s.Names != nil {
			errs = append(errs, c.check(s.Names, key))
		}
		switch property := s.Properties[key]; {
		case property != nil:
			errs = append(errs, c.check(property, value))
		case string(s.Additional) == "false":
			errs = append(errs, fmt.Errorf("unknown key %s", key))
		case s.Additional != nil:
			errs = append(errs, c.check(parseSchema(c.t, s.Additional), value))
		}
	}
	return errors.Join(errs...)
}

// validate holds a YAML document against the schema.
func (c checker) validate(source string) error {
	c.t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(source), &value); err != nil {
		c.t.Fatalf("%v in\n%s", err, source)
	}
	return c.check(c.root, value)
}

// keysOf asks the reader which keys it knows: an unknown one is answered with them.
func keysOf(t *testing.T, source string) []string {
	t.Helper()
	_, err := config.Load("a.yaml", []byte(source))
	var bad *config.Error
	if !errors.As(err, &bad) || !strings.HasPrefix(bad.Hint(), "known keys: ") {
		t.Fatalf("%s: %v", source, err)
	}
	keys := strings.Split(strings.TrimPrefix(bad.Hint(), "known keys: "), ", ")
	slices.Sort(keys)
	return keys
}

func TestTheSchemaAndTheReaderKnowTheSameKeys(t *testing.T) {
	root := readSchema(t)
	for _, c := range []struct {
		source     string
		properties map[string]*schema
	}{
		{"nothing_like_it: 1", root.Properties},
		{"verify: {nothing_like_it: 1}", root.Properties["verify"].Properties},
		{"services: {shop/cart: {nothing_like_it: 1}}", root.Definitions["service"].Properties},
	} {
		if diff := cmp.Diff(keysOf(t, c.source), slices.Sorted(maps.Keys(c.properties))); diff != "" {
			t.Errorf("the reader has -, the schema +: %s", diff)
		}
	}
}

func TestTheSchemasExamplesAreRead(t *testing.T) {
	root := readSchema(t)
	c := checker{t, root}
	var walk func(path []string, properties map[string]*schema)
	walk = func(path []string, properties map[string]*schema) {
		for name, property := range properties {
			at := append(slices.Clone(path), name)
			if property.Description == "" || len(property.Examples) == 0 {
				t.Errorf("%v has no description, or no example", at)
			}
			for _, example := range property.Examples {
				for _, key := range slices.Backward(at) {
					example = map[string]any{key: example}
				}
				text, err := json.Marshal(example) // which is YAML too
				if err != nil {
					t.Fatal(err)
				}
				if _, err := config.Load("a.yaml", text); err != nil {
					t.Error(err)
				}
				if err := c.validate(string(text)); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
			walk(at, property.Properties)
		}
	}
	walk(nil, root.Properties)
	for _, p := range root.Definitions["platform"].Examples {
		if _, err := platform.Parse(p.(string)); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsReadFitsTheSchema(t *testing.T) {
	c := checker{t, readSchema(t)}
	sources := []string{full, "", "# nothing\n", "bases:\nargs: {}\n", "bases:\n  one:1: &new registry.example/x:1\n  two:1: *new\n"}
	doc, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	chapter, _, _ := strings.Cut(string(doc), "\n## archbuild.lock")
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(chapter, -1)
	if len(examples) < 8 {
		t.Errorf("docs/config.md has %d examples", len(examples))
	}
	for _, example := range examples {
		sources = append(sources, example[1])
	}
	for _, p := range platform.All() {
		for _, name := range []string{p.String(), p.Names().Debian, p.Names().Uname, p.Names().Prefix} {
			if name != "" {
				sources = append(sources, "default: "+name)
			}
		}
	}
	for _, source := range sources {
		if _, err := config.Load("a.yaml", []byte(source)); err != nil {
			t.Errorf("%v in\n%s", err, source)
		}
		if err := c.validate(source); err != nil {
			t.Errorf("%v in\n%s", err, source)
		}
	}
}

func TestWhatTheSchemaRefusesTheReaderRefuses(t *testing.T) {
	c := checker{t, readSchema(t)}
	for _, source := range []string{
		"platform: [linux/arm64]", "verify: {mod: off}", "verify: {mode: strict}", "verify: []", "verify: {allow: x}",
		"default: [amd64]", "default: linux/", "platforms: linux/arm64", "platforms: [linux/arm64, linux/arm64]", "platforms: [[a]]",
		"bases: [a]", "bases: {a: [b]}", "bases: {a: {linux/arm64: [b]}}", "bases: {a: {linux/: b}}", `bases: {a: ""}`, "bases: {a: {default: {a: b}}}",
		"args: [a]", "args: {A-B: c}", "args: {A: [b]}", "args: {linux/arm64: {A: [b]}}", "args: {linux/arm64: {A-B: c}}",
		"target: [a]", "target: {linux/arm64: [a]}", "cross: on", "cross: [off]", "cross: {build: yes}", "cross: {build: [off]}", "dockerfiles: [a]", "services: [a]", "services: {shop/cart: [a]}", "services: {shop/cart: {}}", "services: {shop/cart: {contexts: a}}", `services: {shop/cart: ""}`, "services: {shop/cart: {context: a, args: [b]}}", `services: {"": a}`, "services: {shop/cart: {context: a, args: {linux/arm64: {A: b}}}}", "dockerfiles: {arm64: /etc/passwd}", "dockerfiles: {arm64: [a]}", "hello",
	} {
		if _, err := config.Load("a.yaml", []byte(source)); err == nil {
			t.Errorf("the reader takes %s", source)
		}
		if err := c.validate(source); err == nil {
			t.Errorf("the schema takes %s", source)
		}
	}
}
