package engine

// protocol numbers what a client and its engine say to each other beyond
// BuildKit's own calls (wire.go), and what an engine does for a client. Programs
// with the same number use each other's engines, whatever their versions; it
// goes up when an old engine would serve a new client wrongly, or the reverse.
const protocol = 1
