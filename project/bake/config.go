package bake

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/docker/buildx/bake/hclparser"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/project"
)

// config is what the blocks of bake files say. The tags name the keys: hcl those of a file, cty those that expressions
// ask for (target.app.tags), json those that --print writes, in this order.
type config struct {
	Groups  []*group  `hcl:"group,block" cty:"group"`
	Targets []*target `hcl:"target,block" cty:"target"`
}

type group struct {
	Name        string   `json:"-" hcl:"name,label" cty:"name"`
	Description string   `json:"description,omitempty" hcl:"description,optional" cty:"description"`
	Targets     []string `json:"targets" hcl:"targets" cty:"targets"`

	at project.Place
}

type target struct {
	Name             string             `json:"-" hcl:"name,label" cty:"name"`
	Description      string             `json:"description,omitempty" hcl:"description,optional" cty:"description"`
	Inherits         []string           `json:"inherits,omitempty" hcl:"inherits,optional" cty:"inherits"`
	Annotations      []string           `json:"annotations,omitempty" hcl:"annotations,optional" cty:"annotations"`
	Attest           attests            `json:"attest,omitempty" hcl:"attest,optional" cty:"attest"`
	Context          *string            `json:"context,omitempty" hcl:"context,optional" cty:"context"`
	Contexts         map[string]string  `json:"contexts,omitempty" hcl:"contexts,optional" cty:"contexts"`
	Dockerfile       *string            `json:"dockerfile,omitempty" hcl:"dockerfile,optional" cty:"dockerfile"`
	DockerfileInline *string            `json:"dockerfile-inline,omitempty" hcl:"dockerfile-inline,optional" cty:"dockerfile-inline"`
	Args             map[string]*string `json:"args,omitempty" hcl:"args,optional" cty:"args"`
	Labels           map[string]*string `json:"labels,omitempty" hcl:"labels,optional" cty:"labels"`
	Tags             []string           `json:"tags,omitempty" hcl:"tags,optional" cty:"tags"`
	CacheFrom        caches             `json:"cache-from,omitempty" hcl:"cache-from,optional" cty:"cache-from"`
	CacheTo          caches             `json:"cache-to,omitempty" hcl:"cache-to,optional" cty:"cache-to"`
	Target           *string            `json:"target,omitempty" hcl:"target,optional" cty:"target"`
	Secrets          secrets            `json:"secret,omitempty" hcl:"secret,optional" cty:"secret"`
	SSH              sshKeys            `json:"ssh,omitempty" hcl:"ssh,optional" cty:"ssh"`
	Platforms        []string           `json:"platforms,omitempty" hcl:"platforms,optional" cty:"platforms"`
	Outputs          outputs            `json:"output,omitempty" hcl:"output,optional" cty:"output"`
	Pull             *bool              `json:"pull,omitempty" hcl:"pull,optional" cty:"pull"`
	NoCache          *bool              `json:"no-cache,omitempty" hcl:"no-cache,optional" cty:"no-cache"`
	NetworkMode      *string            `json:"network,omitempty" hcl:"network,optional" cty:"network"`
	NoCacheFilter    []string           `json:"no-cache-filter,omitempty" hcl:"no-cache-filter,optional" cty:"no-cache-filter"`
	ShmSize          *string            `json:"shm-size,omitempty" hcl:"shm-size,optional" cty:"shm-size"`
	Ulimits          []string           `json:"ulimits,omitempty" hcl:"ulimits,optional" cty:"ulimits"`
	Resources        *resources         `json:"resources,omitempty" hcl:"resources,optional" cty:"resources"`
	Call             *string            `json:"call,omitempty" hcl:"call,optional" cty:"call"`
	Entitlements     []string           `json:"entitlements,omitempty" hcl:"entitlements,optional" cty:"entitlements"`
	ExtraHosts       map[string]*string `json:"extra-hosts,omitempty" hcl:"extra-hosts,optional" cty:"extra-hosts"`
	Policy           policies           `json:"policy,omitempty" hcl:"policy,optional" cty:"policy"`

	at    project.Place
	bases bases
	// places are where single things stand, as project.Target has them; contextsAt where each named context
	// does; notes what the block has that means nothing.
	places     map[string]project.Place
	contextsAt map[string]project.Place
	notes      []string
}

// keys are the attributes that a target may have beside those of its type.
var keys = []string{"name", "matrix", "description", "inherits", "annotations", "attest", "context", "contexts", "dockerfile", "dockerfile-inline", "args",
	"labels", "tags", "cache-from", "cache-to", "target", "secret", "ssh", "platforms", "output", "pull", "no-cache", "network", "no-cache-filter",
	"shm-size", "ulimits", "resources", "call", "entitlements", "extra-hosts", "policy"}

var (
	_ hclparser.WithEvalContexts = &target{}
	_ hclparser.WithGetName      = &target{}
	_ hclparser.WithBlockSource  = &target{}
	_ hclparser.WithEvalContexts = &group{}
	_ hclparser.WithGetName      = &group{}
	_ hclparser.WithBlockSource  = &group{}
)

var nameChars = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// validName says what is wrong with the name of a target or group.
func validName(name string) error {
	if !nameChars.MatchString(name) {
		return fmt.Errorf("%q is no name: letters, digits, _ and - are allowed", name)
	}
	return nil
}

// SetBlockSource is told the block that a group was read from.
func (g *group) SetBlockSource(block *hcl.Block) { g.at = at(block.DefRange) }

// GetEvalContexts gives the one context that a group is evaluated in: it has no matrix.
func (g *group) GetEvalContexts(base *hcl.EvalContext, block *hcl.Block, _ func(hcl.Expression) hcl.Diagnostics) ([]*hcl.EvalContext, error) {
	for name := range attributes(block.Body, "matrix", "name") {
		return nil, errors.New("a group has no " + name)
	}
	return []*hcl.EvalContext{base}, nil
}

// GetName is the label of a group.
func (g *group) GetName(_ *hcl.EvalContext, block *hcl.Block, _ func(hcl.Expression) hcl.Diagnostics) (string, error) {
	return block.Labels[0], nil
}

// SetBlockSource is told the block that a target was read from.
func (t *target) SetBlockSource(block *hcl.Block) {
	t.at = at(block.DefRange)
	t.bases.read(block)
	t.readPlaces(block)
	if contexts, ok := attributes(block.Body, "contexts")["contexts"]; ok {
		t.contextsAt = map[string]project.Place{}
		for name := range t.Contexts {
			t.contextsAt[name] = at(contexts.Range)
		}
		pairs, _ := hcl.ExprMap(contexts.Expr)
		for _, pair := range pairs {
			if name, diags := pair.Key.Value(nil); !diags.HasErrors() && name.Type() == cty.String && !name.IsNull() && name.IsKnown() {
				t.contextsAt[name.AsString()] = at(pair.Key.Range())
			}
		}
	}
	all, _ := block.Body.JustAttributes()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(keys, name) {
			continue
		}
		e := &Error{Place: at(all[name].Range), Text: "a target has no " + name + ", which is passed over"}
		if meant := nearest.Word(name, keys); meant != "" {
			e.Text = "a target has no " + name + ", which is passed over: " + meant + " is meant?"
		}
		t.notes = append(t.notes, e.Error())
	}
}

// readPlaces finds where the block says what an error may be about.
func (t *target) readPlaces(block *hcl.Block) {
	t.places = map[string]project.Place{}
	for name, attr := range attributes(block.Body, "context", "dockerfile", "target", "platforms", "tags", "output", "secret", "ssh", "cache-from", "cache-to", "call") {
		t.places[name] = at(attr.Range)
	}
	if tags, ok := attributes(block.Body, "tags")["tags"]; ok {
		// A list that is computed has other elements than its text.
		if each, diags := hcl.ExprList(tags.Expr); !diags.HasErrors() && len(each) == len(t.Tags) {
			for i, tag := range t.Tags {
				t.places["tags "+tag] = at(each[i].Range())
			}
		}
	}
}

// attributes are those of a block that have one of the names.
func attributes(body hcl.Body, names ...string) hcl.Attributes {
	schema := &hcl.BodySchema{}
	for _, name := range names {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, _, _ := body.PartialContent(schema)
	return content.Attributes
}

// GetEvalContexts gives a context for each combination that the matrix of a target has: its variables
// are the matrix's keys.
func (t *target) GetEvalContexts(base *hcl.EvalContext, block *hcl.Block, load func(hcl.Expression) hcl.Diagnostics) ([]*hcl.EvalContext, error) {
	attr, ok := attributes(block.Body, "matrix")["matrix"]
	if !ok {
		if !take(block.Body, 1) {
			return nil, tooMany(attr, block)
		}
		return []*hcl.EvalContext{base}, nil
	}
	if diags := load(attr.Expr); diags.HasErrors() {
		return nil, diags
	}
	value, diags := attr.Expr.Value(base)
	if diags.HasErrors() {
		return nil, diags
	}
	if !value.IsWhollyKnown() || value.IsNull() || !value.Type().IsMapType() && !value.Type().IsObjectType() {
		return nil, wrong(attr, "matrix is no map of lists")
	}
	axes := value.AsValueMap()
	count := 1
	for _, axis := range axes {
		if !axis.CanIterateElements() {
			return nil, wrong(attr, "matrix is no map of lists")
		}
		if count *= axis.LengthInt(); count > maxTargets {
			return nil, tooMany(attr, block)
		}
	}
	if !take(block.Body, count) {
		return nil, tooMany(attr, block)
	}
	return combinations(base, axes), nil
}

// combinations are contexts for all combinations of values, the last axis running slowest.
func combinations(base *hcl.EvalContext, axes map[string]cty.Value) []*hcl.EvalContext {
	found := []map[string]cty.Value{{}}
	for _, name := range slices.Sorted(maps.Keys(axes)) {
		var next []map[string]cty.Value
		for _, value := range axes[name].AsValueSlice() {
			for _, variables := range found {
				more := maps.Clone(variables)
				more[name] = value
				next = append(next, more)
			}
		}
		found = next
	}
	contexts := make([]*hcl.EvalContext, len(found))
	for i, variables := range found {
		contexts[i] = base.NewChild()
		contexts[i].Variables = variables
	}
	return contexts
}

// GetName is the name of a target: its label, or what name says of one of a matrix.
func (t *target) GetName(ectx *hcl.EvalContext, block *hcl.Block, load func(hcl.Expression) hcl.Diagnostics) (string, error) {
	found := attributes(block.Body, "name", "matrix")
	attr, ok := found["name"]
	if !ok {
		return block.Labels[0], nil
	}
	if _, ok := found["matrix"]; !ok {
		return "", wrong(attr, "name is for targets that have a matrix")
	}
	if diags := load(attr.Expr); diags.HasErrors() {
		return "", diags
	}
	value, diags := attr.Expr.Value(ectx)
	if diags.HasErrors() {
		return "", diags
	}
	name, err := convert.Convert(value, cty.String)
	if err != nil || name.IsNull() || !name.IsKnown() {
		return "", wrong(attr, "name is no string")
	}
	return name.AsString(), nil
}

func wrong(attr *hcl.Attribute, text string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: text, Subject: attr.Range.Ptr()}}
}

func tooMany(attr *hcl.Attribute, block *hcl.Block) hcl.Diagnostics {
	where := block.DefRange.Ptr()
	if attr != nil {
		where = attr.Range.Ptr()
	}
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: fmt.Sprintf("the bake file has more than %d targets", maxTargets), Subject: where}}
}

// matrices makes a group of the targets of each matrix, under the label of its block.
func (c *config) matrices(renamed map[string][]string) {
	for _, label := range slices.Sorted(maps.Keys(renamed)) {
		names := dedup(renamed[label])
		if len(names) == 1 && names[0] == label {
			continue
		}
		g := &group{Name: label, Targets: names}
		if len(names) > 0 {
			g.at = c.target(names[0]).at
		}
		c.Groups = append(c.Groups, g)
	}
}

// target is the one of a name, or nil.
func (c *config) target(name string) *target {
	i := slices.IndexFunc(c.Targets, func(t *target) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return c.Targets[i]
}

// group is the first one of a name, or nil.
func (c *config) group(name string) *group {
	i := slices.IndexFunc(c.Groups, func(g *group) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return c.Groups[i]
}

// names are those of all targets.
func (c *config) names() []string {
	names := make([]string, len(c.Targets))
	for i, t := range c.Targets {
		names[i] = t.Name
	}
	return names
}

// notes are what the files have that means nothing.
func (c *config) notes() []string {
	var notes []string
	for _, t := range c.Targets {
		notes = append(notes, t.notes...)
	}
	return dedup(notes)
}

// dedup drops what has been there before.
func dedup(list []string) []string {
	var kept []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			kept = append(kept, s)
		}
		seen[s] = true
	}
	return kept
}

// distinct drops what has been there before, and what is empty.
func distinct(list []string) []string {
	if len(list) == 0 {
		return list
	}
	return slices.DeleteFunc(dedup(list), func(s string) bool { return s == "" })
}
