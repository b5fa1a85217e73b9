package lint

// Dockerfile gives the findings of all rules, in order, without those that a comment
// of the file suppresses.
func Dockerfile(facts Facts) []Finding {
	s := &subject{Facts: facts}
	for _, rule := range Rules {
		if rule.check != nil {
			rule.check(s)
		}
	}
	return Sort(suppress(facts.Template, s.found))
}
