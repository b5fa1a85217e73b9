package files_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/placement/files"
	"github.com/archbuild/archbuild/project/compose"
)

// read reads a text as standard input is read, with some variables.
func read(text string, environ ...string) (files.File, error) {
	return files.Read("F", []byte(text), compose.Options{Files: []string{"-"}, Stdin: []byte(text), Environ: environ})
}

// said is a file as one text: each service with its images and what is written by hand.
func said(f files.File) string {
	var words []string
	for _, s := range f.Services {
		text := s.Name
		for _, c := range s.Containers {
			text += " " + c.Image
			if c.Init {
				text += "(init)"
			}
		}
		for _, c := range s.Constraints {
			text += " [" + c.Text + " " + c.At + "]"
		}
		for _, l := range s.HostLabels {
			text += " [" + l.Key[len("io.rancher.scheduler.affinity:"):] + ": " + l.Value + " " + l.At + "]"
		}
		for key, value := range s.Pod.Selector {
			text += " {" + key + "=" + value + "}"
		}
		for _, t := range s.Pod.Terms {
			text += " {" + t.String() + "}"
		}
		words = append(words, text)
	}
	return strings.Join(words, "; ")
}

func TestReadsWhatRunsTogetherAndWhatIsWrittenByHand(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"a compose file", "services:\n  a: {image: x}\n  b: {image: y:1}", "a x; b y:1"},
		{"the same as JSON", `{"services": {"a": {"image": "x"}}}`, "a x"},
		{"one of the first version", "a:\n  image: x\n  labels:\n    io.rancher.scheduler.affinity:host_label: disk=ssd\n    io.rancher.scheduler.affinity:host_label_soft: a=b\nb:\n  build: .\n",
			"a x [host_label: disk=ssd F:4]; b files-b"},
		{"constraints", "services:\n  a:\n    image: x\n    deploy:\n      placement:\n        constraints:\n        - node.role==manager\n        - node.labels.a != b\n",
			"a x [node.role==manager F:7] [node.labels.a != b F:8]"},
		{"merged keys, the nearest of which counts", "x-base: &base\n  image: old\n  deploy: {placement: {constraints: [node.role==worker]}}\nservices:\n  a:\n    <<: *base\n    image: new\n", "a new [node.role==worker F:3]"},
		{"a merged service that is there already", "x-all: &all\n  a: {image: old}\n  b: {image: y}\nservices:\n  <<: *all\n  a: {image: new}\n", "a new; b y"},
		{"variables", "services:\n  a: {image: '${REG:-docker.io}/x:${TAG}'}\n  b: {image: 'y:$TAG'}\n  c: {image: 'z:${NONE:-${ALSO_NONE:-}1}'}", "a docker.io/x:7; b y:7; c z:1"},
		{"a service that extends another one", "services:\n  base: {image: x}\n  a:\n    extends: {service: base}\n", "base x; a x"},
		{"variables that where it runs does not depend on", "services:\n  a: {image: x, labels: [\"route=${NONE:?}\"], build: {context: \"${NONE:?}\", args: {V: $NONE}}, command: $NONE}\n", "a x"},
		{"a service that is provided", "services:\n  a: {provider: {type: model}}\n  b: {image: x}\n", "b x"},
		{"a service whose name is a key", "services:\n  image: {image: x}\n  build: {build: .}\n", "image x; build files-build"},
		{"what is built has compose's name", "name: shop\nservices:\n  a:\n    build: .\n", "a shop-a"},
		{"several objects", "kind: Service\nmetadata: {name: x}\n---\n---\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: x}], initContainers: [{name: i, image: y}]}\n", "pod/p y(init) x"},
		{"a CronJob", "kind: CronJob\nmetadata: {name: p, namespace: n}\nspec: {jobTemplate: {spec: {template: {spec: {nodeSelector: {a: b}, containers: [{name: c, image: x}]}}}}}\n", "cronjob/n/p x {a=b}"},
		{"a list", "kind: List\nitems:\n- kind: Pod\n  metadata: {name: p}\n  spec: {containers: [{image: x}]}\n- kind: ConfigMap\n  metadata: {name: q}\n", "pod/p x"},
		{"affinity", "kind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{image: x}]\n  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}], matchFields: [{key: metadata.name, operator: In, values: [n]}]}]}}}\n",
			"pod/p x {a In [b] and metadata.name In [n]}"},
		{"a kind that nobody knows, with pods as a Deployment has them", "kind: Rollout\nmetadata: {name: p}\nspec: {template: {spec: {containers: [{image: x}]}}}\n", "rollout/p x"},
	} {
		f, err := read(row.text, "TAG=7")
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		} else if got := said(f); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
}

func TestRefusesWithPlaceAndHint(t *testing.T) {
	bomb := "a: &a {image: x}\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c {<<: [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]}\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", "F: it is empty"},
		{"empty documents", "---\n---\n", "F: it is empty"},
		{"no YAML", "services:\n  a: [\n", "F:"},
		{"a list", "- a\n- b\n", "F:1: neither a compose file"},
		{"a text", "hello", "F:1: neither a compose file"},
		{"a service without image", "services:\n  a:\n    ports: [1]\n", "F:2: service a has neither image nor build"},
		{"an empty service", "services:\n  a:\n", "F:2: service a has neither image nor build"},
		{"an image that is a list", "services:\n  a:\n    image: [x]\n", "F:3: image of service a is a list"},
		{"constraints that are no list", "services:\n  a:\n    image: x\n    deploy: {placement: {constraints: node.role==manager}}\n", "F:4: deploy.placement.constraints of service a is \"node.role==manager\""},
		{"a constraint that swarm refuses", "services:\n  a:\n    image: x\n    deploy: {placement: {constraints: [node.role=manager]}}\n", "F:4: constraint \"node.role=manager\""},
		{"a variable that is not there", "services:\n  a: {image: 'x:$NONE'}\n", "F:2: image of service a: the variable NONE is not set"},
		{"one that has to be there", "services:\n  a: {image: 'x:${NONE:?give it}'}\n", "F:2: image of service a: the variable NONE is required, and not set: give it"},
		{"one that is no variable", "services:\n  a: {image: 'x:${'}\n", "F:2: image of service a: a variable is not closed: ${"},
		{"an include that is not there", "include: [x.yaml]\nservices:\n  a: {image: x}\n", "F:1: x.yaml: no such file"},
		{"extends of a file that is not there", "services:\n  a:\n    extends: {file: x.yaml, service: b}\n", "F:3: x.yaml: no such file"},
		{"a constraint with a variable that is not there", "services:\n  a:\n    image: x\n    deploy: {placement: {constraints: [\"node.labels.a==$NONE\"]}}\n", "F:4: deploy.placement.constraints[node.labels.a==] of service a: the variable NONE is not set"},
		{"objects and a compose file in one", "kind: Service\nmetadata: {name: x}\n---\nservices:\n  a: {image: x}\n", "F:4: neither a compose file"},
		{"no pod in it", "kind: Service\nmetadata: {name: x}\n", "F: nothing in it runs an image"},
		{"a Deployment without template", "kind: Deployment\nmetadata: {name: x}\n", "F:1: Deployment has no spec.template.spec"},
		{"no containers", "kind: Pod\nmetadata:\n  name: x\nspec: {nodeName: a}\n", "F:3: pod/x has no containers"},
		{"no name", "kind: Pod\nspec: {containers: [{image: x}]}\n", "F:1: Pod without metadata.name"},
		{"an operator that is none", "kind: Pod\nmetadata: {name: x}\nspec:\n  containers: [{image: x}]\n  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Is}]}]}}}\n", "F:5: \"Is\" is no operator"},
		{"merges without end", "a: &a\n  <<: *a\nservices:\n  web: *a\n", "F:"},
		{"a bomb of merges", bomb + "services:\n  web: *y\n", "F:1: aliases and included files make more than 500000 entries"},
		{"lists in lists", strings.Repeat("{kind: List, items: [", 10) + strings.Repeat("]}", 10), "F:1: lists in lists"},
		{"deep brackets", strings.Repeat("[", 20_000), "F:"},
		{"too long", strings.Repeat("#", files.MaxBytes+1), "F: it is longer than 8 MB"},
	} {
		began := time.Now()
		_, err := read(row.text)
		var hinted interface{ Hint() string }
		switch {
		case err == nil:
			t.Errorf("%s: no error", row.name)
		case !strings.HasPrefix(err.Error(), row.want) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %q, want %q", row.name, err, row.want)
		case !errors.As(err, &hinted) || hinted.Hint() == "":
			t.Errorf("%s: no hint: %v", row.name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", row.name, took)
		}
	}
}

func TestReadsNodes(t *testing.T) {
	c, err := files.ReadNodes("N", []byte(`[{"ID":"1","Spec":{"Role":"manager","Availability":"drain","Labels":{"a":"b"}},"Description":{"Hostname":"h","Platform":{"Architecture":"armv8l","OS":"linux"},"Resources":{"MemoryBytes":5}},"Status":{"Addr":"10.0.0.1"}}]`))
	if err != nil || len(c.Nodes) != 1 || c.Kind != placement.Swarm {
		t.Fatalf("%+v, %v", c, err)
	}
	n := c.Nodes[0]
	if n.Platform.String() != "linux/arm/v7" || n.Machine != "armv8l" || n.Closed != "drained" || n.Memory != 5 || n.Labels["a"] != "b" || n.Role != "manager" {
		t.Errorf("%+v", n)
	}
	c, err = files.ReadNodes("N", []byte(`{"kind":"List","items":[{"kind":"Node","metadata":{"name":"k","labels":{"archbuild.platform":"arm-v6"}},"spec":{"unschedulable":true,"taints":[{"key":"t","effect":"NoSchedule"}]},"status":{"nodeInfo":{"architecture":"arm","operatingSystem":"linux"},"allocatable":{"memory":"1024Ki"}}}]}`))
	if err != nil || len(c.Nodes) != 1 || c.Kind != placement.Kubernetes {
		t.Fatalf("%+v, %v", c, err)
	}
	n = c.Nodes[0]
	if n.Platform.String() != "linux/arm/v6" || n.Labels["kubernetes.io/arch"] != "arm" || n.Closed != "cordoned" || n.Memory != 1<<20 || len(n.Taints) != 1 {
		t.Errorf("%+v", n)
	}
}

func TestRefusesNodesWithHint(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"nothing", " \n", "N: it is empty"},
		{"a table", "NAME STATUS\nbig Ready\n", "N: it is no JSON"},
		{"half of it", "[\n{\"ID\":", "N:2: no valid JSON"},
		{"no node", "[]", "N: it lists no node"},
		{"what docker node ls says", `[{"ID":"1","Hostname":"h"}]`, "N: node 1 says nothing of its platform"},
		{"pods", `{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"p"}}]}`, "N: item 1 is no node"},
		{"a number for a name", "{\"kind\":\"List\",\n\"items\":[{\"metadata\":{\"name\":7}}]}", "N:2: "},
		{"deep brackets", strings.Repeat("[", 100_000), "N:"},
	} {
		_, err := files.ReadNodes("N", []byte(row.text))
		var hinted interface{ Hint() string }
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || !errors.As(err, &hinted) || hinted.Hint() == "" {
			t.Errorf("%s: %v, want %q and a hint", row.name, err, row.want)
		}
	}
}
