package placement_test

import (
	"strings"
	"testing"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/platform"
)

// machines are a cluster with labels, roles, memory and all.
func machines() []placement.Node {
	node := func(name, p, machine, role string, memory int64, labels ...string) placement.Node {
		n := placement.Node{Name: name, ID: "id-" + name, Platform: platform.MustParse(p), Machine: machine, Role: role, Memory: memory << 30, Address: "10.0.0." + name[1:]}
		n.Labels = placement.KindLabels(n.Platform)
		for _, l := range labels {
			key, value, _ := strings.Cut(l, "=")
			n.Labels[key] = value
		}
		return n
	}
	return []placement.Node{
		node("a1", "linux/amd64", "x86_64", "manager", 16, "disk=ssd", "zone=north"),
		node("a2", "linux/amd64", "x86_64", "worker", 2, "disk=hdd", "zone=south"),
		node("b3", "linux/arm64", "aarch64", "worker", 8, "disk=ssd", "zone=south"),
		node("b4", "linux/arm/v7", "armv7l", "worker", 1),
	}
}

func image(name string, platforms ...string) map[string]placement.Image {
	i := placement.Image{Name: name, Digest: "sha256:1", From: "index"}
	for _, p := range platforms {
		i.Held = append(i.Held, placement.Held{Platform: platform.MustParse(p)})
	}
	return map[string]placement.Image{name: i}
}

func lines(texts ...string) []placement.Line {
	var list []placement.Line
	for _, text := range texts {
		list = append(list, placement.Line{Text: text, At: "stack.yaml:7"})
	}
	return list
}

// told is a row as one text: where it runs, what is contradicted, what is demanded.
func told(row placement.Row) string {
	var words []string
	for _, cell := range row.Cells {
		if cell.Runs {
			words = append(words, strings.Join(cell.Nodes, "+"))
		}
	}
	if row.Nowhere {
		words = append(words, "nowhere")
	}
	for _, c := range row.Contradictions {
		words = append(words, "! "+c.Text+" "+c.Why)
	}
	for _, line := range row.Demand.Lines() {
		words = append(words, "> "+line)
	}
	for _, l := range row.Demand.Labels {
		words = append(words, "label "+l.Node+" "+l.Key+"="+l.Value)
	}
	return strings.Join(words, "; ")
}

func TestConstraintsWrittenByHandInSwarm(t *testing.T) {
	for _, row := range []struct {
		name        string
		platforms   []string
		constraints []string
		memory      int64
		want        string
	}{
		{"a label of today says nothing of architectures", []string{"linux/amd64"}, []string{"node.labels.zone==north"}, 0, "a1; > node.platform.arch==x86_64"},
		{"an architecture that is named already needs no second word", []string{"linux/amd64"}, []string{"node.platform.arch == X86_64"}, 0, "a1+a2"},
		{"what is excluded already is not excluded again", []string{"linux/amd64"}, []string{"node.platform.arch!=armv7l", "node.platform.arch!=aarch64"}, 0, "a1+a2"},
		{"half of it is excluded already", []string{"linux/amd64", "linux/arm64"}, []string{"node.platform.arch!=aarch64"}, 0, "a1+a2; > node.platform.arch==x86_64"},
		{"an architecture that the image lacks", []string{"linux/amd64"}, []string{"node.platform.arch==aarch64"}, 0,
			"nowhere; ! node.platform.arch==aarch64 leaves none of the platforms that app is for: linux/amd64; > node.platform.arch==x86_64"},
		{"the only one is excluded", []string{"linux/amd64"}, []string{"node.platform.arch!=x86_64"}, 0,
			"nowhere; ! node.platform.arch!=x86_64 leaves none of the platforms that app is for: linux/amd64; > node.platform.arch==x86_64"},
		{"a label that no fitting node has", []string{"linux/arm64"}, []string{"node.labels.disk==hdd"}, 0,
			"nowhere; ! node.labels.disk==hdd leaves no node that app can run on; > node.platform.arch==aarch64"},
		{"a manager that is another machine", []string{"linux/arm64"}, []string{"node.role==manager"}, 0,
			"nowhere; ! node.role==manager leaves no node that app can run on; > node.platform.arch==aarch64"},
		{"a label is compared with regard to its name's case", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}, []string{"node.labels.Disk==ssd"}, 0,
			"nowhere; ! node.labels.Disk==ssd leaves no node that app can run on"},
		{"a label's value without", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}, []string{"node.labels.disk==SSD"}, 0, "a1; b3"},
		{"a network", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}, []string{"node.ip==10.0.0.2/31"}, 0, "a2; b3"},
		{"a key that swarm does not know holds nowhere", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}, []string{"node.arch!=arm"}, 0,
			"nowhere; ! node.arch!=arm leaves none of the platforms that app is for: linux/amd64, linux/arm/v7, linux/arm64"},
		{"memory, where some have too little", []string{"linux/amd64"}, nil, 4 << 30,
			"a1; > node.platform.arch==x86_64; > node.labels.memory-4g==true; label a1 memory-4g=true"},
		{"memory, where all that fit have enough", []string{"linux/arm64"}, nil, 4 << 30, "b3; > node.platform.arch==aarch64"},
		{"memory that nobody has", []string{"linux/arm/v7"}, nil, 2 << 30, "nowhere; > node.platform.arch==armv7l; > node.labels.memory-2g==true"},
	} {
		one := placement.Service{Name: "web", Containers: []placement.Container{{Image: "app"}}, Constraints: lines(row.constraints...), MinMemory: row.memory}
		got := placement.Decide([]placement.Service{one}, image("app", row.platforms...), placement.Cluster{Nodes: machines()}, placement.Swarm).Rows[0]
		if told(got) != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, told(got), row.want)
		}
	}
}

func TestNodeSelectionWrittenByHandInKubernetes(t *testing.T) {
	arch := func(operator string, values ...string) placement.Term {
		return placement.Term{Expressions: []placement.Expression{{Key: "kubernetes.io/arch", Operator: operator, Values: values}}}
	}
	disk := placement.Term{Expressions: []placement.Expression{{Key: "disk", Operator: "In", Values: []string{"ssd"}}}}
	for _, row := range []struct {
		name      string
		platforms []string
		pod       placement.Pod
		want      string
	}{
		{"no word of it", []string{"linux/amd64"}, placement.Pod{}, "a1+a2; > kubernetes.io/arch In [amd64]"},
		{"a label keeps its own way", []string{"linux/amd64"}, placement.Pod{Selector: map[string]string{"disk": "ssd"}}, "a1; > kubernetes.io/arch In [amd64]"},
		{"a label that only fitting nodes have today", []string{"linux/amd64"}, placement.Pod{Selector: map[string]string{"disk": "hdd"}}, "a2; > kubernetes.io/arch In [amd64]"},
		{"what one term says already is not said twice", []string{"linux/amd64"}, placement.Pod{Terms: []placement.Term{arch("In", "amd64"), disk}},
			"a1+a2; > kubernetes.io/arch In [amd64], or disk In [ssd] and kubernetes.io/arch In [amd64]"},
		{"terms by hand get what is needed, each", []string{"linux/amd64", "linux/arm64"}, placement.Pod{Terms: []placement.Term{disk, {Fields: []placement.Expression{{Key: "metadata.name", Operator: "In", Values: []string{"a2"}}}}}},
			"a1+a2; b3; > disk In [ssd] and kubernetes.io/arch In [amd64, arm64], or kubernetes.io/arch In [amd64, arm64] and metadata.name In [a2]"},
		{"an architecture that is named needs no second word", []string{"linux/amd64"}, placement.Pod{Terms: []placement.Term{arch("In", "amd64")}}, "a1+a2"},
		{"by the old name of the label", []string{"linux/amd64"}, placement.Pod{Selector: map[string]string{"beta.kubernetes.io/arch": "amd64"}}, "a1+a2"},
		{"one that it lacks", []string{"linux/amd64"}, placement.Pod{Selector: map[string]string{"kubernetes.io/arch": "arm64"}},
			"nowhere; ! its node selector leaves none of the platforms that app is for: linux/amd64; > kubernetes.io/arch In [amd64]"},
		{"one more than it holds", []string{"linux/amd64"}, placement.Pod{Terms: []placement.Term{arch("In", "amd64", "arm64")}},
			"a1+a2; ! its node selector names arm64, and app is for linux/amd64 only; > kubernetes.io/arch In [amd64, arm64] and kubernetes.io/arch In [amd64]"},
		{"one more that the cluster has not", []string{"linux/amd64"}, placement.Pod{Terms: []placement.Term{arch("In", "amd64", "s390x")}}, "a1+a2"},
		{"a term without anything holds nowhere, and stays so", []string{"linux/amd64"}, placement.Pod{Terms: []placement.Term{{}, disk}}, "a1; > disk In [ssd] and kubernetes.io/arch In [amd64]"},
		{"one node by name", []string{"linux/arm64"}, placement.Pod{NodeName: "a1"}, "nowhere; ! its node selector leaves no node that app can run on; > kubernetes.io/arch In [arm64]"},
	} {
		one := placement.Service{Name: "deployment/web", Object: &placement.Object{Kind: "Deployment", Name: "web"}, Containers: []placement.Container{{Image: "app"}}, Pod: row.pod}
		table := placement.Decide([]placement.Service{one}, image("app", row.platforms...), placement.Cluster{Nodes: machines()}, placement.Kubernetes)
		if got := told(table.Rows[0]); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
		for _, n := range machines() { // what is laid over is judged by Kubernetes' own rules
			terms := table.Rows[0].Demand.Terms
			runs := false
			for _, cell := range table.Rows[0].Cells {
				for _, name := range cell.Nodes {
					runs = runs || name == n.Name
				}
			}
			if terms != nil && row.pod.NodeName == "" && kubernetesAccepts(terms, row.pod.Selector, n) != runs {
				t.Errorf("%s: %s is accepted: %v, runs it: %v", row.name, n.Name, !runs, runs)
			}
		}
	}
}

func TestTaintsAndClosedNodesTakeNothing(t *testing.T) {
	nodes := machines()[:3]
	nodes[0].Taints = []placement.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: "NoSchedule"}}
	nodes[1].Taints = []placement.Taint{{Key: "slow", Value: "yes", Effect: "PreferNoSchedule"}}
	nodes[2].Closed = "cordoned"
	for _, row := range []struct {
		name string
		pod  placement.Pod
		want string
	}{
		{"a taint keeps it away, a wish does not", placement.Pod{}, "a2; > kubernetes.io/arch In [amd64]"},
		{"it is tolerated", placement.Pod{Tolerations: []placement.Toleration{{Key: "node-role.kubernetes.io/control-plane", Operator: "Exists"}}}, "a1+a2; > kubernetes.io/arch In [amd64]"},
		{"another one is", placement.Pod{Tolerations: []placement.Toleration{{Key: "slow", Value: "yes", Operator: "Equal"}}}, "a2; > kubernetes.io/arch In [amd64]"},
		{"all are", placement.Pod{Tolerations: []placement.Toleration{{Operator: "Exists"}}}, "a1+a2; > kubernetes.io/arch In [amd64]"},
	} {
		one := placement.Service{Name: "pod/web", Object: &placement.Object{Kind: "Pod", Name: "web"}, Containers: []placement.Container{{Image: "app"}}, Pod: row.pod}
		got := told(placement.Decide([]placement.Service{one}, image("app", "linux/amd64"), placement.Cluster{Nodes: nodes}, placement.Kubernetes).Rows[0])
		if got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
	}
}

func TestLabelsWrittenByHandInCattleStay(t *testing.T) {
	one := placement.Service{Name: "web", Containers: []placement.Container{{Image: "app"}}, HostLabels: []placement.Label{
		{Key: placement.HostLabel, Value: "region=west, disk=ssd"}, {Key: placement.HostLabelNot, Value: "old=true"}}}
	listed := placement.Listed([]platform.Platform{platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64")})
	got := placement.Decide([]placement.Service{one}, image("app", "linux/amd64"), listed, placement.Cattle).Rows[0].Demand.HostLabels
	if len(got) != 1 || got[placement.HostLabel] != "region=west,disk=ssd,arch=amd64" {
		t.Errorf("labels %v", got)
	}
	for _, label := range []placement.Label{{Key: placement.HostLabel, Value: "arch=arm64"}, {Key: placement.HostLabelNot, Value: "arch=amd64"}} {
		one.HostLabels = []placement.Label{label}
		row := placement.Decide([]placement.Service{one}, image("app", "linux/amd64"), listed, placement.Cattle).Rows[0]
		if len(row.Contradictions) != 1 || !row.Nowhere {
			t.Errorf("%s for an image of amd64: %+v", label, row)
		}
	}
}

func TestServicesThatRunNowhereComeFirst(t *testing.T) {
	images := image("everywhere", "linux/amd64", "linux/arm64", "linux/arm/v7")
	for name, i := range image("nowhere", "linux/s390x") {
		images[name] = i
	}
	var services []placement.Service
	for _, name := range []string{"everywhere", "nowhere", "lost"} {
		services = append(services, placement.Service{Name: name, Containers: []placement.Container{{Image: name}}})
	}
	table := placement.Decide(services, images, placement.Cluster{Nodes: machines()}, placement.Swarm)
	var order []string
	for _, row := range table.Rows {
		order = append(order, row.Service)
	}
	if got := strings.Join(order, " "); got != "nowhere everywhere lost" {
		t.Errorf("order %s", got)
	}
	if lost := table.Rows[2]; !lost.Unknown || lost.Nowhere || !lost.Demand.Empty() {
		t.Errorf("of an image that nobody has seen, %+v", lost)
	}
}

func TestConstraintsThatSwarmRefuses(t *testing.T) {
	for _, text := range []string{"node.platform.arch=x86_64", "node.role", "=="} {
		if _, err := placement.ParseConstraint(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestADollarStaysADollar holds that what was written by hand is not filled in a second time when the overlay is read.
func TestADollarStaysADollar(t *testing.T) {
	one := placement.Service{Name: "web$x", Containers: []placement.Container{{Image: "app"}}, HostLabels: []placement.Label{{Key: placement.HostLabel, Value: "zone=a$HOME"}}}
	listed := placement.Listed([]platform.Platform{platform.MustParse("linux/amd64"), platform.MustParse("linux/arm64")})
	table := placement.Decide([]placement.Service{one}, image("app", "linux/amd64"), listed, placement.Cattle)
	text := string(placement.Overlay{Table: table, Over: []string{"stack.yaml"}}.Bytes())
	if !strings.Contains(text, `"zone=a$$HOME,arch=amd64"`) || !strings.Contains(text, `"web$x":`) {
		t.Errorf("the overlay is\n%s", text)
	}
}
