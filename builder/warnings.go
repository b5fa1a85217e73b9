package builder

import (
	"cmp"
	"slices"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"
)

// Warnings are those of all jobs, each once, in the order of the Dockerfile. They
// speak of the template: its lines are those of every rewritten file.
func Warnings(results []Result, file string, template []byte) []client.VertexWarning {
	var list []client.VertexWarning
	for _, result := range results {
		for _, w := range result.Warnings {
			same := func(other client.VertexWarning) bool {
				return Line(other) == Line(w) && slices.Equal(other.Short, w.Short)
			}
			if slices.ContainsFunc(list, same) {
				continue
			}
			if w.SourceInfo != nil {
				w.SourceInfo = w.SourceInfo.CloneVT()
				w.SourceInfo.Filename, w.SourceInfo.Data = file, template
				w.SourceInfo.Definition = nil
			}
			list = append(list, w)
		}
	}
	slices.SortStableFunc(list, func(a, b client.VertexWarning) int {
		return cmp.Or(cmp.Compare(Line(a), Line(b)), slices.Compare(a.Short, b.Short))
	})
	return list
}

// Bare are warnings without the text of the file that they speak of: Warnings puts it in.
func Bare(list []client.VertexWarning) []client.VertexWarning {
	var bare []client.VertexWarning
	for _, w := range list {
		if w.SourceInfo != nil {
			w.SourceInfo = &pb.SourceInfo{Language: w.SourceInfo.Language}
		}
		bare = append(bare, w)
	}
	return bare
}

// Line is where a warning's trouble begins, or 0.
func Line(w client.VertexWarning) int {
	if len(w.Range) == 0 || w.Range[0].Start == nil {
		return 0
	}
	return int(w.Range[0].Start.Line)
}
