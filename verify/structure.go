package verify

import (
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
)

// structure looks at an index as its clients do: which image each of them takes
// for a platform, and what its attestations speak of. Entries of a layout of
// several images stand each for themselves.
func structure(root *imagetree.Node, several bool) []Finding {
	if several {
		var list []Finding
		for _, group := range named(root) {
			list = append(list, structure(&imagetree.Node{Kind: imagetree.Index, Children: group}, false)...)
		}
		return list
	}
	var images []*imagetree.Node
	there := map[string]bool{}
	root.Each(func(n *imagetree.Node) {
		there[n.Descriptor.Digest.String()] = true
		if n.Kind == imagetree.Image && n != root {
			images = append(images, n)
		}
	})
	list := append(duplicates(images), shadows(images)...)
	root.Each(func(n *imagetree.Node) {
		about := n.Descriptor.Annotations[imagetree.ReferenceDigest]
		if n.Kind == imagetree.Attestation && about != "" && !there[about] {
			list = append(list, Finding{
				Severity: SeverityWarning, Kind: KindAttestation, Digest: n.Descriptor.Digest.String(),
				Message: fmt.Sprintf("attestation %s speaks of %s, which the index does not list", n.Descriptor.Digest, printable(about)),
				Hint:    "assemble the index again from its images with archbuild manifest create, which takes along only what belongs to them",
			})
		}
	})
	return list
}

// named groups the entries of a layout by their names; an index is its own group.
func named(root *imagetree.Node) [][]*imagetree.Node {
	var order []string
	groups := map[string][]*imagetree.Node{}
	for _, child := range root.Children {
		key := child.Descriptor.Annotations[ocispec.AnnotationRefName]
		if child.Kind == imagetree.Index {
			key += " " + child.Descriptor.Digest.String()
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], child)
	}
	list := make([][]*imagetree.Node, len(order))
	for i, key := range order {
		list[i] = groups[key]
	}
	return list
}

// features is what, beside the platform, tells images of Windows apart.
func features(n *imagetree.Node) string {
	if n.Descriptor.Platform == nil {
		return n.Platform.OSVersion
	}
	return n.Platform.OSVersion + " " + strings.Join(slices.Sorted(slices.Values(n.Descriptor.Platform.OSFeatures)), ",")
}

// duplicates finds platforms that are there twice, also when they are spelled in
// two ways: containerd and Docker take arm64 and arm64/v8 for the same.
func duplicates(images []*imagetree.Node) []Finding {
	first := map[string]*imagetree.Node{}
	var list []Finding
	for _, n := range images {
		key := n.Platform.String() + " " + features(n)
		was := first[key]
		switch {
		case n.Platform.OS == "":
		case was == nil:
			first[key] = n
		case was.Descriptor.Digest == n.Descriptor.Digest:
			list = append(list, Finding{
				Severity: SeverityWarning, Kind: KindDuplicate, Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(),
				Message: fmt.Sprintf("the index lists %s twice, as %s and as %s", n.Descriptor.Digest, written(was), written(n)),
				Hint:    "assemble the index again with each image once",
			})
		default:
			list = append(list, duplicate(was, n))
		}
	}
	return list
}

func duplicate(was, n *imagetree.Node) Finding {
	who := "containerd, Docker, crane and podman take the first one"
	if written(was) != written(n) {
		who = fmt.Sprintf("containerd and Docker take the first one, clients that compare letter by letter (crane --platform %s) the second", written(n))
	}
	return Finding{
		Severity: SeverityError, Kind: KindDuplicate, Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(),
		Message: fmt.Sprintf("the index has two images for %s: %s (%s) and %s (%s); %s",
			n.Platform, was.Descriptor.Digest, written(was), n.Descriptor.Digest, written(n), who),
		Hint: "assemble the index again with one image for " + n.Platform.String(),
	}
}

// written is the platform letter by letter as the index has it.
func written(n *imagetree.Node) string {
	p := n.Descriptor.Platform
	if p == nil {
		return "no platform"
	}
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return printable(text)
}

// shadows finds architectures in several variants. Clients that compare system
// and architecture alone take the first of them, on every machine.
func shadows(images []*imagetree.Node) []Finding {
	var order []string
	groups := map[string][]*imagetree.Node{}
	for _, n := range images {
		if n.Platform.OS == "" {
			continue
		}
		key := n.Platform.OS + "/" + n.Platform.Arch + " " + features(n)
		if groups[key] == nil {
			order = append(order, key)
		}
		if !slices.ContainsFunc(groups[key], func(o *imagetree.Node) bool { return o.Platform == n.Platform }) {
			groups[key] = append(groups[key], n)
		}
	}
	var list []Finding
	for _, key := range order {
		if group := groups[key]; len(group) > 1 {
			list = append(list, shadow(group[0], group[1:]))
		}
	}
	return list
}

func shadow(first *imagetree.Node, others []*imagetree.Node) Finding {
	arch := first.Platform.OS + "/" + first.Platform.Arch
	var names []string
	lowest := first
	for _, n := range others {
		names = append(names, n.Platform.String())
		if n.Platform.Serves(lowest.Platform) {
			lowest = n
		}
	}
	f := Finding{Severity: SeverityNote, Kind: KindShadowed, Platform: first.Platform.String(), Digest: first.Descriptor.Digest.String()}
	f.Message = fmt.Sprintf("%s comes before %s: clients that are asked for %s without a variant and take the first that fits (crane, ko, other users of go-containerregistry) take %s on every machine; ",
		first.Platform, strings.Join(names, " and "), arch, first.Platform)
	const best = "containerd, Docker and podman take the best one for the machine"
	if lowest == first {
		f.Message += "it runs there; " + best
		f.Hint = "nothing: this order is the safe one"
		return f
	}
	f.Severity = SeverityWarning
	f.Message += fmt.Sprintf("one that can only run %s fails then; %s", lowest.Platform, best)
	f.Hint = fmt.Sprintf("assemble the index again with %s first", lowest.Platform)
	return f
}
