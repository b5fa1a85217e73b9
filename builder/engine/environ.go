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
// language, proxies and certificates, how much of a step's output is passed on. The rest (tokens, keys, agent sockets of
// the run that happened to start it) must not live on in a shared server. The
// answer is sorted, one value a name; as in a shell the last one counts.
func scrub(environ []string) []string {
	values := map[string]string{}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if ok && (isPlace(name) || isSetting(name)) {
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
	switch name {
	case "PATH", "HOME", "TMPDIR", "LANG",
		"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR":
		return true
	}
	return false
}

// isSetting says whether a variable decides what an engine does: one with another value is
// another engine's.
func isSetting(name string) bool {
	switch name {
	case "BUILDKIT_STEP_LOG_MAX_SIZE", "BUILDKIT_STEP_LOG_MAX_SPEED":
		return true
	}
	return isNetwork(name)
}

// isNetwork says whether a variable decides how the engine reaches a registry. A
// proxy's address keeps its user and password, if it has them: it is the engine who
// talks through the proxy. Containers get none of this.
func isNetwork(name string) bool {
	switch name {
	case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR":
		return true
	}
	return false
}
