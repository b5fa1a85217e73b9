package engine

import (
	"slices"
	"strings"
)

// stateVar marks the processes that an engine starts with the engine's state
// folder; the sweep of a later engine finds the survivors by it. The engine sets
// it once it has the state lock: one that still waits is no survivor.
const stateVar = "ARCHBUILD_ENGINE_STATE"

// scrub keeps of an environment what an engine may know: where things are, the
// language, proxies and certificates. The rest (tokens, keys, agent sockets of
// the run that happened to start it) must not live on in a shared server. The
// answer is sorted, one value a name; as in a shell the last one counts.
func scrub(environ []string) []string {
	values := map[string]string{}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if ok && (isPlace(name) || isNetwork(name)) {
			values[name] = value
		}
	}
	out := make([]string, 0, len(values))
	for name, value := range values {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

func isPlace(name string) bool {
	return name == "PATH" || name == "HOME" || name == "TMPDIR" || name == "LANG" || strings.HasPrefix(name, "XDG_")
}

// isNetwork says whether a variable decides how the engine reaches a registry.
func isNetwork(name string) bool {
	switch name {
	case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR":
		return true
	}
	return false
}
