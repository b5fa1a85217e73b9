package resolve

import "github.com/archbuild/archbuild/platform"

// Overruling tells, for an image and a platform, whether a rule of the command
// line goes before a comment in the Dockerfile that says something else of the
// same image: one that decides (see Rule) and names the image, that is by its
// reference, its repository or a glob of its tags. Other patterns apply to what
// the comment says. A comment that leaves the platform out (skip) yields only to
// a rule for just this platform. Rules that cannot be read overrule nothing.
func (r Rules) Overruling() func(image string, on platform.Platform, skip bool) bool {
	table, err := r.read()
	if err != nil {
		return func(string, platform.Platform, bool) bool { return false }
	}
	return func(image string, on platform.Platform, skip bool) bool {
		n, err := parseName(image)
		if err != nil || !table.commanded(n, on, skip) {
			return false
		}
		chosen, err := table.find(n, on)
		return err == nil && chosen.rule != nil && chosen.rule.CommandLine
	}
}

// commanded tells whether a rule of the command line names an image.
func (t table) commanded(n name, on platform.Platform, skip bool) bool {
	for _, e := range t.about(n) {
		if !e.CommandLine || e.kind < byRepository || skip && e.Platform != on {
			continue
		}
		if fits, _ := e.match(n, on); fits == yes {
			return true
		}
	}
	return false
}
