package ci_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/ci"
)

// schema is the part of JSON Schema (draft 7) that record.schema.json uses. Any other keyword in it fails the tests.
type schema struct {
	Draft       string             `json:"$schema"`
	Ref         string             `json:"$ref"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Type        string             `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	MinItems    int                `json:"minItems"`
	MaxItems    int                `json:"maxItems"`
	Enum        []any              `json:"enum"`
	Pattern     string             `json:"pattern"`
	Definitions map[string]*schema `json:"definitions"`
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

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := os.ReadFile("../docs/record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return parseSchema(t, data)
}

// problems lists what is wrong with a value.
func (s *schema) problems(t *testing.T, root *schema, at string, value any) []string {
	t.Helper()
	if s.Ref != "" {
		return root.Definitions[strings.TrimPrefix(s.Ref, "#/definitions/")].problems(t, root, at, value)
	}
	kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Slice: "array", reflect.Map: "object", reflect.Float64: "number"}
	if s.Type != "" && kinds[reflect.ValueOf(value).Kind()] != s.Type || s.Enum != nil && !slices.Contains(s.Enum, value) {
		return []string{fmt.Sprintf("%s: %v", at, value)}
	}
	var found []string
	switch v := value.(type) {
	case string:
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			found = append(found, fmt.Sprintf("%s: %q", at, v))
		}
	case []any:
		if len(v) < s.MinItems || s.MaxItems > 0 && len(v) > s.MaxItems {
			found = append(found, fmt.Sprintf("%s: %d items", at, len(v)))
		}
		for _, item := range v {
			found = append(found, s.Items.problems(t, root, at+"[]", item)...)
		}
	case map[string]any:
		for _, key := range s.Required {
			if _, there := v[key]; !there {
				found = append(found, at+": no "+key)
			}
		}
		for key, item := range v {
			switch below := s.Properties[key]; {
			case below != nil:
				found = append(found, below.problems(t, root, at+"."+key, item)...)
			case string(s.Additional) == "false":
				found = append(found, at+": unknown "+key)
			case s.Additional != nil:
				found = append(found, parseSchema(t, s.Additional).problems(t, root, at+"."+key, item)...)
			}
		}
	}
	return found
}

func validate(t *testing.T, body string) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatal(err)
	}
	root := readSchema(t)
	return root.problems(t, root, "", value)
}

func TestRecordsFitTheirSchema(t *testing.T) {
	_, full := sealed(t, armv7, nil)
	_, least := sealed(t, amd64, func(r *ci.Record) {
		*r = ci.Record{Name: r.Name, Platform: r.Platform, Inputs: r.Inputs, Recipe: r.Recipe, Repositories: r.Repositories, Image: r.Image, Node: r.Node, Format: ci.RecordFormat}
	})
	for _, body := range []string{full, least} {
		if found := validate(t, body); found != nil {
			t.Errorf("%s\n%s", strings.Join(found, "\n"), body)
		}
		if _, err := ci.ReadRecord("a.json", strings.NewReader(body)); err != nil {
			t.Error(err)
		}
	}
}

func TestTheSchemaKnowsTheFieldsOfARecord(t *testing.T) {
	properties := readSchema(t).Properties
	of := reflect.TypeFor[ci.Record]()
	if of.NumField() != len(properties) {
		t.Errorf("a record has %d fields, the schema %d", of.NumField(), len(properties))
	}
	for i := range of.NumField() {
		name, rest, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if properties[name] == nil {
			t.Errorf("the schema has no %s", name)
		}
		if must := slices.Contains(readSchema(t).Required, name); must == (rest == "omitempty") {
			t.Errorf("required or left out when empty: %s cannot be both", name)
		}
	}
}

func TestWhatTheSchemaRefusesTheReaderRefuses(t *testing.T) {
	for _, fake := range []func(*ci.Record){
		func(r *ci.Record) { r.Name = "../x" }, func(r *ci.Record) { r.Run = "a/b" }, func(r *ci.Record) { r.Commit = "main" }, func(r *ci.Record) { r.Recipe = "sha256:x" },
		func(r *ci.Record) { r.Repositories = nil }, func(r *ci.Record) { r.Image.MediaType = "text/html" }, func(r *ci.Record) { r.Image.Platform = nil },
		func(r *ci.Record) { r.Image.URLs = []string{"http://evil.example"} }, func(r *ci.Record) { r.Verify.Mode = "never" }, func(r *ci.Record) { r.Index.Attestations = "x" },
	} {
		_, body := sealed(t, arm64, fake)
		if validate(t, body) == nil {
			t.Errorf("the schema takes %s", body)
		}
		if _, err := ci.ReadRecord("a.json", strings.NewReader(body)); err == nil {
			t.Errorf("the reader takes %s", body)
		}
	}
}
