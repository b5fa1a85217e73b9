// Command words counts the words of a text that it carries.
package main

import (
	_ "embed"
	"fmt"
	"sort"
	"strings"
)

//go:embed text.txt
var text string

func main() {
	counts := map[string]int{}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		counts[strings.Trim(word, ".,;:")]++
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	sort.Slice(words, func(i, j int) bool {
		if counts[words[i]] != counts[words[j]] {
			return counts[words[i]] > counts[words[j]]
		}
		return words[i] < words[j]
	})
	for _, word := range words[:3] {
		fmt.Println(counts[word], word)
	}
}
