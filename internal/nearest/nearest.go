// Package nearest finds what a mistyped word was meant for, so that an error can
// name it.
package nearest

import "github.com/agext/levenshtein"

// Word is the candidate that differs from word by the fewest letters, two at
// most and fewer than word has; of several the first. Without one it is empty.
func Word(word string, candidates []string) string {
	best, at := "", 3
	for _, candidate := range candidates {
		if d := levenshtein.Distance(word, candidate, nil); d < at && d < len(word) {
			best, at = candidate, d
		}
	}
	return best
}

// DidYouMean names the nearest of a few words at the end of an error, where one is near.
func DidYouMean(word string, words []string) string {
	if near := Word(word, words); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}
