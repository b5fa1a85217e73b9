package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
)

// exporterKeys are handed to BuildKit; they must be the same for all outputs
// that hold an image, since every platform is exported once.
var exporterKeys = []string{
	"compression", "compression-level", "force-compression", "oci-artifact", "oci-mediatypes",
	"prefer-nondist-layers", "rewrite-timestamp", "source-date-epoch",
}

// keys that each type knows, beside type.
var keys = map[OutputType][]string{
	TypeOCI:       append([]string{"dest", "name", "tar"}, exporterKeys...),
	TypeDocker:    append([]string{"dest", "name", "context"}, exporterKeys...),
	TypeImage:     append([]string{"name", "name-canonical", "push", "push-by-digest"}, exporterKeys...),
	TypeLocal:     {"dest", "mode", "platform-split"},
	TypeTar:       {"dest", "platform-split"},
	TypeCacheOnly: {},
}

// typeNames are the words that type= takes.
var typeNames = []string{"oci", "local", "tar", "docker", "image", "registry", "cacheonly"}

// refused explains the types and keys of buildx that have no meaning here.
var refused = map[string]string{
	"type=moby":                "write type=docker: it is loaded into the engine",
	"key=registry.insecure":    "say it once for all in buildkitd.toml: [registry.\"HOST\"] insecure = true (or http = true)",
	"key=unpack":               "images are not kept inside BuildKit: load them (type=docker), push them, or write type=oci",
	"key=store":                "images are not kept inside BuildKit: load them (type=docker), push them, or write type=oci",
	"key=dangling-name-prefix": "images are not kept inside BuildKit: load them (type=docker), push them, or write type=oci",
	"key=attestation-prefix":   "attestations are part of image outputs only: write type=oci or push",
}

// refusedOf explains keys that another type has.
var refusedOf = map[OutputType]map[string]string{
	TypeDocker: {
		"tar":  "a folder is an OCI layout: write type=oci,tar=false,dest=FOLDER",
		"push": "add --push, or -o type=registry, to push as well",
	},
	TypeOCI: {"push": "add --push, or -o type=registry, to push as well"},
}

// helpForType names the type that was meant, or all that there are.
func helpForType(t OutputType) string {
	if help, ok := refused["type="+string(t)]; ok {
		return help
	}
	if near := meant(string(t), typeNames); near != "" {
		return fmt.Sprintf("did you mean type=%s?", near)
	}
	return "the types are " + strings.Join(typeNames, ", ")
}

// helpForKey says what to do instead, names the key that was meant, or all that there are.
func helpForKey(t OutputType, key string) string {
	if help, ok := refusedOf[t][key]; ok {
		return help
	}
	if help, ok := refused["key="+key]; ok {
		return help
	}
	if near := meant(key, keys[t]); near != "" {
		return fmt.Sprintf("did you mean %s=?", near)
	}
	if len(keys[t]) == 0 {
		return "type=" + string(t) + " has no options"
	}
	return fmt.Sprintf("type=%s knows %s", t, strings.Join(slices.Sorted(slices.Values(keys[t])), ", "))
}

// meant is the known word that a slip of the finger makes into this one.
func meant(word string, known []string) string {
	if len(word) > 64 { // The distance takes time and memory by the length.
		return ""
	}
	return nearest.Word(word, known)
}

// compressions of layers.
var compressions = []string{"gzip", "zstd", "estargz", "uncompressed"}

// exporterValue refuses what BuildKit would refuse after the build, and writes
// the rest in one way.
func exporterValue(p pair) (string, error) {
	switch p.key {
	case "compression":
		if slices.Contains(compressions, p.value) {
			return p.value, nil
		}
		help := "use one of " + strings.Join(compressions, ", ")
		if near := meant(p.value, compressions); near != "" {
			help = fmt.Sprintf("did you mean compression=%s?", near)
		}
		return "", &OutputError{Problem: fmt.Sprintf("compression=%s: no such compression", p.value), Help: help}
	case "compression-level", "source-date-epoch":
		if _, err := strconv.ParseInt(p.value, 10, 64); err != nil && p.value != "" {
			return "", &OutputError{Problem: fmt.Sprintf("%s=%s is no number", p.key, p.value), Help: fmt.Sprintf("write %s=NUMBER", p.key)}
		}
		return p.value, nil
	}
	b, err := boolean(p)
	return strconv.FormatBool(b), err
}
