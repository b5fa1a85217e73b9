package files

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/archbuild/archbuild/placement"
)

// maxNesting bounds lists of lists.
const maxNesting = 4

// object reads one document of Kubernetes into the file.
func (r *reader) object(n *yaml.Node, f *File, depth int) {
	kind := r.text(r.get(n, "kind"))
	if items := r.get(n, "items"); items != nil && strings.HasSuffix(kind, "List") {
		if depth == maxNesting {
			r.fail(n, "lists in lists in lists", "give the objects themselves")
			return
		}
		for _, item := range r.list(items, "items") {
			if item = r.follow(item); isMapping(item) {
				r.object(item, f, depth+1)
			}
		}
		return
	}
	path := placement.PodPath(kind)
	ours := path != nil
	if !ours {
		path = placement.PodPath("Deployment")
	}
	spec := r.get(n, path...)
	if spec == nil || !ours && r.get(spec, "containers") == nil {
		if ours {
			r.fail(n, fmt.Sprintf("%s has no %s", kind, strings.Join(path, ".")), "is it whole? kubectl apply --dry-run=client says what is missing")
		}
		return
	}
	f.Services = append(f.Services, r.pod(n, spec, kind))
}

func (r *reader) pod(n, spec *yaml.Node, kind string) placement.Service {
	meta := r.get(n, "metadata")
	o := &placement.Object{
		APIVersion: r.text(r.get(n, "apiVersion")), Kind: kind,
		Namespace: r.text(r.get(meta, "namespace")), Name: r.text(r.get(meta, "name")),
	}
	at := n
	if name := r.get(meta, "name"); name != nil {
		at = name
	}
	if o.Name == "" {
		r.fail(n, fmt.Sprintf("%s without metadata.name", kind), "give it a name: nothing can be laid over what has none")
	}
	s := placement.Service{Object: o, At: r.at(at), Name: strings.ToLower(kind) + "/" + o.Name}
	if o.Namespace != "" {
		s.Name = strings.ToLower(kind) + "/" + o.Namespace + "/" + o.Name
	}
	for _, list := range []struct {
		key  string
		init bool
	}{{"initContainers", true}, {"containers", false}} {
		for _, c := range r.list(r.get(spec, list.key), list.key) {
			r.container(&s, c, list.init)
		}
	}
	if len(s.Containers) == 0 {
		r.fail(at, fmt.Sprintf("%s has no containers", s.Name), "give it containers: with name: and image:")
	}
	s.Pod = r.choice(spec)
	return s
}

func (r *reader) container(s *placement.Service, c *yaml.Node, init bool) {
	image := r.get(c, "image")
	if image == nil {
		r.fail(c, fmt.Sprintf("a container of %s has no image", s.Name), "give it image: NAME")
		return
	}
	s.Containers = append(s.Containers, placement.Container{Name: r.text(r.get(c, "name")), Image: r.text(image), Init: init, At: r.at(image)})
}

// choice reads what is written by hand on the pod's node.
func (r *reader) choice(spec *yaml.Node) placement.Pod {
	p := placement.Pod{NodeName: r.text(r.get(spec, "nodeName")), Selector: map[string]string{}}
	if n := r.get(spec, "nodeName"); n != nil {
		p.At = r.at(n)
	}
	if terms := r.get(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"); terms != nil {
		p.At = r.at(terms)
		for _, t := range r.list(terms, "nodeSelectorTerms") {
			p.Terms = append(p.Terms, placement.Term{Expressions: r.expressions(r.get(t, "matchExpressions")), Fields: r.expressions(r.get(t, "matchFields"))})
		}
	}
	if selector := r.get(spec, "nodeSelector"); selector != nil {
		p.At = r.at(selector)
		for _, f := range r.fields(selector) {
			p.Selector[f.key.Value] = r.text(f.value)
		}
	}
	for _, t := range r.list(r.get(spec, "tolerations"), "tolerations") {
		p.Tolerations = append(p.Tolerations, placement.Toleration{
			Key: r.text(r.get(t, "key")), Operator: r.text(r.get(t, "operator")), Value: r.text(r.get(t, "value")), Effect: r.text(r.get(t, "effect")),
		})
	}
	return p
}

var operators = []string{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}

func (r *reader) expressions(n *yaml.Node) []placement.Expression {
	var list []placement.Expression
	for _, one := range r.list(n, "expressions") {
		e := placement.Expression{Key: r.text(r.get(one, "key")), Operator: r.text(r.get(one, "operator")), Values: r.texts(r.get(one, "values"), "values")}
		if !slices.Contains(operators, e.Operator) {
			r.fail(one, fmt.Sprintf("%q is no operator of a node selector", e.Operator), "write one of "+strings.Join(operators, ", "))
			continue
		}
		list = append(list, e)
	}
	return list
}
