package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/placement"
	"github.com/archbuild/archbuild/platform"
)

// MaxNodes bounds what docker or kubectl say of nodes, in bytes; a node of Kubernetes lists its images and has some 30 kB.
const MaxNodes = 64 << 20

// maxNodes is how many machines a cluster may have.
const maxNodes = 20_000

const nodesHint = "pipe in what docker or kubectl say: docker node inspect $(docker node ls -q), or kubectl get nodes -o json"

// swarmNode is what `docker node inspect` says of a node.
type swarmNode struct {
	ID   string
	Spec struct {
		Labels             map[string]string
		Role, Availability string
	}
	Description struct {
		Hostname  string
		Platform  struct{ Architecture, OS string }
		Resources struct{ MemoryBytes int64 }
		Engine    struct{ Labels map[string]string }
	}
	Status struct{ State, Addr string }
}

// kubeNode is what `kubectl get nodes -o json` says of one.
type kubeNode struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Unschedulable bool              `json:"unschedulable"`
		Taints        []placement.Taint `json:"taints"`
	} `json:"spec"`
	Status struct {
		NodeInfo struct {
			Architecture    string `json:"architecture"`
			OperatingSystem string `json:"operatingSystem"`
		} `json:"nodeInfo"`
		Allocatable struct {
			Memory string `json:"memory"`
		} `json:"allocatable"`
	} `json:"status"`
	Items []kubeNode `json:"items"`
}

// ReadNodes reads a cluster from what docker or kubectl say of its nodes.
func ReadNodes(name string, data []byte) (placement.Cluster, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	wrong := func(text string) error { return &Error{File: name, Text: text, hint: nodesHint} }
	switch {
	case len(data) > MaxNodes:
		return placement.Cluster{}, wrong("it is longer than 64 MB")
	case len(data) == 0:
		return placement.Cluster{}, wrong("it is empty, and should list nodes")
	case data[0] == '[':
		var list []swarmNode
		if err := json.Unmarshal(data, &list); err != nil {
			return placement.Cluster{}, jsonError(name, data, err)
		}
		return swarm(name, list)
	case data[0] != '{':
		return placement.Cluster{}, wrong("it is no JSON")
	}
	var root kubeNode
	if err := json.Unmarshal(data, &root); err != nil {
		return placement.Cluster{}, jsonError(name, data, err)
	}
	items := root.Items
	if root.Kind == "Node" {
		items = []kubeNode{root}
	}
	return kubernetes(name, items)
}

// jsonError says on which line JSON is none.
func jsonError(name string, data []byte, err error) error {
	e := &Error{File: name, Text: "no valid JSON: " + err.Error(), hint: nodesHint}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		e.Line = 1 + bytes.Count(data[:min(len(data), int(syntax.Offset))], []byte("\n"))
	case errors.As(err, &kind):
		e.Line = 1 + bytes.Count(data[:min(len(data), int(kind.Offset))], []byte("\n"))
		e.Text = fmt.Sprintf("%s is no %s", kind.Field, kind.Type)
	}
	return e
}

func swarm(name string, list []swarmNode) (placement.Cluster, error) {
	c := placement.Cluster{Kind: placement.Swarm}
	var failed []error
	for i, n := range list {
		if n.Description.Platform.Architecture == "" {
			failed = append(failed, &Error{File: name, Text: fmt.Sprintf("node %d says nothing of its platform", i+1), hint: nodesHint})
			if len(failed) == maxMistakes {
				break
			}
			continue
		}
		p, _ := placement.OfMachine(n.Description.Platform.OS, n.Description.Platform.Architecture)
		node := placement.Node{
			Name: n.Description.Hostname, ID: n.ID, Platform: p, Machine: n.Description.Platform.Architecture,
			Role: n.Spec.Role, Address: n.Status.Addr, Labels: n.Spec.Labels, EngineLabels: n.Description.Engine.Labels,
			Memory: max(0, n.Description.Resources.MemoryBytes),
		}
		if node.Name == "" {
			node.Name = n.ID
		}
		switch {
		case n.Spec.Availability != "" && n.Spec.Availability != "active":
			node.Closed = map[string]string{"drain": "drained", "pause": "paused"}[n.Spec.Availability]
		case n.Status.State == "down":
			node.Closed = "down"
		}
		c.Nodes = append(c.Nodes, node)
	}
	return c, enough(name, c, failed)
}

func kubernetes(name string, list []kubeNode) (placement.Cluster, error) {
	c := placement.Cluster{Kind: placement.Kubernetes}
	var failed []error
	for i, n := range list {
		info := n.Status.NodeInfo
		if info.Architecture == "" {
			info.Architecture, info.OperatingSystem = n.Metadata.Labels["kubernetes.io/arch"], n.Metadata.Labels["kubernetes.io/os"]
		}
		if info.Architecture == "" {
			failed = append(failed, &Error{File: name, Text: fmt.Sprintf("item %d is no node, or says nothing of its platform", i+1), hint: nodesHint})
			if len(failed) == maxMistakes {
				break
			}
			continue
		}
		p, _ := placement.OfMachine(info.OperatingSystem, info.Architecture)
		node := placement.Node{Name: n.Metadata.Name, Platform: variant(p, n.Metadata.Labels), Taints: n.Spec.Taints, Memory: quantity(n.Status.Allocatable.Memory)}
		node.Labels = placement.KindLabels(p)
		maps.Copy(node.Labels, n.Metadata.Labels)
		if n.Spec.Unschedulable {
			node.Closed = "cordoned"
			// The taint says the same to the scheduler.
		}
		c.Nodes = append(c.Nodes, node)
	}
	return c, enough(name, c, failed)
}

func enough(name string, c placement.Cluster, failed []error) error {
	switch {
	case len(failed) > 0:
		return errors.Join(failed...)
	case len(c.Nodes) == 0:
		return &Error{File: name, Text: "it lists no node", hint: nodesHint}
	case len(c.Nodes) > maxNodes:
		return &Error{File: name, Text: fmt.Sprintf("more than %d nodes", maxNodes), hint: "name the platforms: --nodes linux/amd64,linux/arm64"}
	}
	return nil
}

// variant is what a label says of an ARM machine; Kubernetes itself says arm of all of them, and v7 is then meant.
func variant(p platform.Platform, labels map[string]string) platform.Platform {
	text := strings.ReplaceAll(labels[placement.PlatformLabel], "-", "/")
	if told, err := platform.Parse(p.OS + "/" + text); err == nil && told.Arch == p.Arch {
		return told
	}
	return p
}

// quantity reads memory as Kubernetes writes it: 16384Ki, 2G, a plain number; 0 where it is none.
func quantity(text string) int64 {
	number := strings.TrimRight(text, "KMGTPEikm")
	unit := map[string]float64{"": 1, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}[text[len(number):]]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 || value*unit > 1<<60 {
		return 0
	}
	return int64(value * unit)
}
