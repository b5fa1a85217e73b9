package manifest

import "fmt"

// ParseOutputs reads all --output texts of a build and checks them together.
func ParseOutputs(texts []string) ([]Output, error) {
	var list []Output
	for _, text := range texts {
		o, err := ParseOutput(text)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, CheckOutputs(list)
}

// CheckOutputs refuses two outputs with one destination, file or engine. Call it again after
// Expand, over the outputs of all builds.
func CheckOutputs(list []Output) error {
	seen := map[string]bool{}
	for _, o := range list {
		if o.Dest == "" {
			continue
		}
		if seen[o.Dest] {
			where := o.Dest
			if o.Stdout() {
				where = "stdout"
			}
			return &OutputError{o.String(), where + " is the destination of two outputs", "give each output a dest= of its own"}
		}
		seen[o.Dest] = true
	}
	return nil
}

// ExporterAttrs joins what the outputs want of BuildKit's exporter. Outputs
// that contradict each other are an *OutputError.
func ExporterAttrs(list []Output) (map[string]string, error) {
	attrs := map[string]string{}
	for _, o := range list {
		for key, value := range o.Exporter {
			if other, ok := attrs[key]; ok && other != value {
				return nil, &OutputError{o.String(), fmt.Sprintf("%s is %s here and %s in another output", key, value, other), "a platform is exported once for all outputs: use the same value, or two builds"}
			}
			attrs[key] = value
		}
	}
	if c := attrs["compression"]; attrs["oci-mediatypes"] == "false" && (c == "zstd" || c == "estargz") {
		return nil, &OutputError{list[0].String(), "Docker's media types know no layers in " + c, "leave oci-mediatypes=false out, or write compression=gzip"}
	}
	return attrs, nil
}

// AnnotationsOf collects the annotations of all outputs: there is one image, so
// they hold for it wherever it goes.
func AnnotationsOf(list []Output) Annotations {
	var all Annotations
	for _, o := range list {
		all = append(all, o.Annotations...)
	}
	return all
}
