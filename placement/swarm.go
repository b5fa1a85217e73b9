package placement

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Constraint is one of swarm's, read. What holds is what swarmkit does (manager/constraint): all constraints of a service have
// to hold, keys and values are compared without regard to case, names of labels with it; a label that is not there is
// empty; a key that swarm does not know holds nowhere.
type Constraint struct {
	Key, Value string
	// Not is !=.
	Not  bool
	Text string
}

var (
	constraintKey   = regexp.MustCompile(`^(?i)[a-z_][a-z0-9\-_.]+$`)
	constraintValue = regexp.MustCompile(`^(?i)[a-z0-9:\-_\s\.\*\(\)\?\+\[\]\\\^\$\|\/]+$`)
)

// ConstraintError says that swarm would refuse a constraint.
type ConstraintError struct{ Text, Why string }

func (e *ConstraintError) Error() string { return fmt.Sprintf("constraint %q: %s", e.Text, e.Why) }

// Hint shows one.
func (e *ConstraintError) Hint() string {
	return "write KEY==VALUE or KEY!=VALUE, for example node.platform.arch==x86_64"
}

// ParseConstraint reads one constraint as swarm does. What swarm would refuse is a *ConstraintError.
func ParseConstraint(text string) (Constraint, error) {
	key, value, found := strings.Cut(text, "==")
	not := false
	if !found {
		key, value, found = strings.Cut(text, "!=")
		not = found
	}
	c := Constraint{Key: strings.TrimSpace(key), Value: strings.TrimSpace(value), Not: not, Text: text}
	switch {
	case !found:
		return c, &ConstraintError{text, "it has neither == nor !="}
	case !constraintKey.MatchString(c.Key):
		return c, &ConstraintError{text, fmt.Sprintf("%q is no key", c.Key)}
	case !constraintValue.MatchString(c.Value):
		return c, &ConstraintError{text, fmt.Sprintf("%q is no value", c.Value)}
	}
	return c, nil
}

const (
	nodeLabels   = "node.labels."
	engineLabels = "engine.labels."
)

// of says whether the constraint holds on a node.
func (c Constraint) of(n Node, s scope) answer {
	a := c.equals(n, s)
	if c.Not && a >= no {
		return a.negated()
	}
	return max(a, no)
}

// never is of a constraint that swarm takes and that no node meets, with == or with !=.
const never answer = -1

func (c Constraint) equals(n Node, s scope) answer {
	key := strings.ToLower(c.Key)
	switch key {
	case "node.platform.os":
		return is(strings.EqualFold(c.Value, n.Platform.OS))
	case "node.platform.arch":
		return is(strings.EqualFold(c.Value, n.Machine))
	}
	label := strings.HasPrefix(key, nodeLabels) && len(key) > len(nodeLabels)
	engine := strings.HasPrefix(key, engineLabels) && len(key) > len(engineLabels)
	known := label || engine || key == "node.id" || key == "node.hostname" || key == "node.role" || key == "node.ip"
	switch {
	case !known:
		return never
	case n.Any || s == kindOnly:
		return unknown
	case label:
		return is(strings.EqualFold(c.Value, n.Labels[c.Key[len(nodeLabels):]]))
	case engine:
		return is(strings.EqualFold(c.Value, n.EngineLabels[c.Key[len(engineLabels):]]))
	case key == "node.ip":
		return c.address(n)
	}
	return is(strings.EqualFold(c.Value, map[string]string{"node.id": n.ID, "node.hostname": n.Name, "node.role": n.Role}[key]))
}

// address compares with an address or a network; what is neither holds nowhere.
func (c Constraint) address(n Node) answer {
	of, err := netip.ParseAddr(n.Address)
	if one, bad := netip.ParseAddr(c.Value); bad == nil {
		return is(err == nil && one.Unmap() == of.Unmap())
	}
	if net, bad := netip.ParsePrefix(c.Value); bad == nil {
		return is(err == nil && net.Contains(of.Unmap()))
	}
	return never
}

// swarmAllows tells whether the constraints of a service hold on a node, and which does not.
func swarmAllows(lines []Line, n Node, s scope) (answer, Line) {
	worst := yes
	for _, line := range lines {
		c, err := ParseConstraint(line.Text)
		if err != nil {
			return no, line // swarm refuses the whole service
		}
		a := c.of(n, s)
		if a == no {
			return no, line
		}
		worst = min(worst, a)
	}
	return worst, Line{}
}

// swarmWords are what swarm can compare of a machine's kind.
func swarmWords() []word {
	return []word{
		{name: "node.platform.arch", of: func(n Node) string { return n.Machine }, also: func(n Node) []string {
			if !n.Any {
				return nil
			}
			return spelt[n.Platform.String()]
		}},
		{name: "node.platform.os", of: func(n Node) string { return n.Platform.OS }},
	}
}

func constraints(wants []want) []string {
	var list []string
	for _, w := range wants {
		operator := "=="
		if w.not {
			operator = "!="
		}
		list = append(list, w.key+operator+w.value)
	}
	return list
}

// asLabels are the same wants, of labels of a node.
func asLabels(wants []want) []want {
	var list []want
	for _, w := range wants {
		w.key = nodeLabels + w.key
		list = append(list, w)
	}
	return list
}

// filtered are architectures that swarm's own filter does not find on the machines that have them: it compares the image's
// word with the kernel's, and knows only x86_64 and aarch64 to be the same as amd64 and arm64.
var filtered = map[string]bool{"386": true, "loong64": true, "mips64le": true}
