package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Image is what stands under a name, by the registry's word or by that of its files.
type Image struct {
	// Name as the file writes it, Digest of what it names; empty where nothing has been pushed.
	Name, Digest string
	// From says whose word it is: "index", "config", or "build" for what is not pushed yet.
	From string
	// Held are the platforms that it names.
	Held []Held
}

// Held is a platform that an image names.
type Held struct {
	Platform platform.Platform
	// Bad says why it cannot run all the same: a clause, "/bin/app is a program for linux/amd64".
	Bad string
}

// Good are the platforms of an image that it can run on.
func (i Image) Good() []platform.Platform {
	var list []platform.Platform
	for _, h := range i.Held {
		if h.Bad == "" && !slices.Contains(list, h.Platform) {
			list = append(list, h.Platform)
		}
	}
	slices.SortFunc(list, platform.Platform.Compare)
	return list
}

// Runs tells whether the image can run on machines of a platform, natively, and why it can or cannot.
func (i Image) Runs(on platform.Platform) (runs bool, why string) {
	for _, h := range i.Held {
		if h.Platform.Serves(on) && h.Bad == "" {
			return true, i.has(h.Platform)
		}
	}
	for _, h := range i.Held {
		if h.Platform.Serves(on) {
			return false, fmt.Sprintf("%s names %s, but %s", i.Name, h.Platform, h.Bad)
		}
	}
	good := i.Good()
	if len(good) == 0 {
		return false, i.Name + " holds no image that runs"
	}
	return false, fmt.Sprintf("%s holds no %s, but %s", i.Name, on, names(good))
}

func (i Image) has(p platform.Platform) string {
	if i.From == "build" {
		return fmt.Sprintf("%s is to be built for %s, and is not in its registry yet", i.Name, p)
	}
	return fmt.Sprintf("%s holds %s", i.Name, p)
}

func names(list []platform.Platform) string {
	var words []string
	for _, p := range list {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

// Service is what runs in one place: a service of a compose file, a pod of a Deployment, an image alone.
type Service struct {
	// Name as the table shows it: "web", "deployment/shop/web".
	Name string
	// Object is where Kubernetes finds it; nil elsewhere.
	Object *Object
	// Containers all run on the same machine.
	Containers []Container
	// Constraints are swarm's, as written by hand.
	Constraints []Line
	// HostLabels are those of Cattle's labels that choose hosts, by hand: key and value.
	HostLabels []Label
	// Pod is what a pod's specification says of its node.
	Pod Pod
	// MinMemory is what the user wants a machine to have, in bytes; 0 asks nothing.
	MinMemory int64
	// At is FILE:LINE, or empty.
	At string
}

// Called says whether a word is what a user calls the service: its name in the table, or that of its object: "web",
// "deployment/web".
func (s Service) Called(word string) bool {
	return word == s.Name || s.Object != nil && (word == s.Object.Name || word == strings.ToLower(s.Object.Kind)+"/"+s.Object.Name)
}

// Container is an image that runs for a service.
type Container struct {
	Name, Image string
	// Init says that it runs before the others.
	Init bool
	At   string
}

// Line is something that was written by hand, and where.
type Line struct{ Text, At string }

// Label is a label of a service, and where it stands.
type Label struct{ Key, Value, At string }

// Object names something in Kubernetes.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// Pod is what is written by hand on where a pod runs.
type Pod struct {
	// Selector is nodeSelector, NodeName the one node.
	Selector map[string]string
	NodeName string
	// Terms of nodeAffinity, required: one of them has to hold, if there are any.
	Terms       []Term
	Tolerations []Toleration
	// At is where the selector or the affinity stands.
	At string
}

// Term is a node selector term: all its expressions have to hold. One without any holds nowhere.
type Term struct {
	Expressions []Expression `json:"matchExpressions,omitempty"`
	Fields      []Expression `json:"matchFields,omitempty"`
}

// Expression asks something of a label; Operator is In, NotIn, Exists, DoesNotExist, Gt or Lt.
type Expression struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
}

// Toleration is a taint that a pod does not mind. An empty Key with the operator Exists is all of them, an
// empty Effect is every effect.
type Toleration struct{ Key, Operator, Value, Effect string }

func (t Toleration) tolerates(n Taint) bool {
	if t.Effect != "" && t.Effect != n.Effect {
		return false
	}
	if t.Key == "" {
		return t.Operator == "Exists"
	}
	return t.Key == n.Key && (t.Operator == "Exists" || t.Value == n.Value)
}

// untolerated is the first taint of a node that keeps the pod away.
func (p Pod) untolerated(n Node) (Taint, bool) {
	for _, taint := range n.Taints {
		if taint.Effect != "NoSchedule" && taint.Effect != "NoExecute" {
			continue
		}
		if !slices.ContainsFunc(p.Tolerations, func(t Toleration) bool { return t.tolerates(taint) }) {
			return taint, true
		}
	}
	return Taint{}, false
}
