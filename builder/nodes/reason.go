package nodes

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"google.golang.org/grpc/status"
)

// wrappings are words of the layers between here and a node, which say nothing of
// the cause.
var wrappings = []*regexp.Regexp{
	regexp.MustCompile(`^failed to list workers: `),
	regexp.MustCompile(`^Unavailable: `),
	regexp.MustCompile(`^connection error: desc = `),
	regexp.MustCompile(`^transport: `),
	regexp.MustCompile(`^Error while dialing: `),
	regexp.MustCompile(`^error reading server preface: `),
	regexp.MustCompile(`^command \[[^\]]*\] has exited with exit status \d+: stderr=`),
	regexp.MustCompile(`, make sure the URL is valid, and Docker 18\.09 or later is installed on the remote host`),
}

// reason is why a node does not answer, on one line, and without what gRPC has
// put around it. It is shown and never decided on.
func reason(err error) string {
	text := err.Error()
	var wire interface{ GRPCStatus() *status.Status }
	if errors.As(err, &wire) {
		text = wire.GRPCStatus().Message()
	}
	text = strings.NewReplacer(`\r`, "", `\n`, " ", `\"`, `"`).Replace(text)
	for _, w := range wrappings {
		text = w.ReplaceAllString(strings.TrimPrefix(text, `"`), "")
	}
	text = strings.Join(strings.Fields(text), " ")
	if strings.Count(text, `"`)%2 == 1 {
		text = strings.TrimSuffix(text, `"`)
	}
	const most = 500
	return strings.TrimSpace(text[:min(len(text), most)])
}

// trial is what to type to see what a connection does.
func (s Spec) trial() string {
	scheme, rest, _ := strings.Cut(s.Address, "://")
	name, _, _ := strings.Cut(rest, "?")
	u, err := url.Parse(s.Address)
	if err != nil {
		return "see whether BuildKit runs there"
	}
	query := u.Query()
	switch scheme {
	case "unix":
		return "see whether buildkitd listens there, and whether the socket is yours to use: ls -l " + rest
	case "tcp":
		if s.TLS.CA == "" {
			return "see whether buildkitd listens there; if it speaks TLS, give cacert=, cert= and key="
		}
		return "see whether buildkitd listens there, and whether the certificates are those that it knows"
	case "ssh":
		host, _, _ := strings.Cut(rest, "/")
		if u.Port() != "" {
			host = "-p " + u.Port() + " " + strings.TrimSuffix(host, ":"+u.Port())
		}
		if u.Path != "" {
			return "try: ssh " + host + " buildctl --addr unix://" + u.Path + " debug workers"
		}
		return "try: ssh " + host + " buildctl debug workers"
	case "kube-pod":
		command := "kubectl"
		for _, key := range []string{"context", "namespace"} {
			if query.Get(key) != "" {
				command += " --" + key + " " + query.Get(key)
			}
		}
		return "try: " + command + " exec " + name + " -- buildctl debug workers"
	}
	command := strings.TrimSuffix(scheme, "-container")
	for _, key := range []string{"context", "namespace"} {
		if query.Get(key) != "" {
			command += " --" + key + " " + query.Get(key)
		}
	}
	return "try: " + command + " exec " + name + " buildctl debug workers"
}
