package builder

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
)

// SSH is one --ssh: the socket of an agent, or private keys that archbuild serves
// as an agent would. A node can have things signed by it during the session, and
// sees no key.
type SSH struct {
	ID string
	// Paths is a socket, or the files of keys.
	Paths []string
}

// DefaultSSH is the id that a Dockerfile and Git mean when they name none.
const DefaultSSH = "default"

// SSHError says that an agent or a key cannot be offered.
type SSHError struct {
	SSH
	Err error
}

func (e *SSHError) Error() string {
	cause := e.Err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) { // BuildKit says the same thing three times
		cause = next
	}
	return fmt.Sprintf("--ssh %s=%s: %v", e.ID, strings.Join(e.Paths, ","), cause)
}

// Unwrap gives the cause.
func (e *SSHError) Unwrap() error { return e.Err }

// Hint is about what a key may look like: that the file is there was seen before.
func (e *SSHError) Hint() string {
	return "give the socket of an agent, or private keys without a passphrase; what has one is for an agent: ssh-add FILE, then --ssh default"
}

// agents offers the ids in the list and no others.
func agents(list []SSH) (session.Attachable, error) {
	var configs []sshprovider.AgentConfig
	for _, s := range list {
		config := sshprovider.AgentConfig{ID: s.ID, Paths: s.Paths}
		if _, err := sshprovider.NewSSHAgentProvider([]sshprovider.AgentConfig{config}); err != nil {
			return nil, &SSHError{s, err}
		}
		configs = append(configs, config)
	}
	provider, err := sshprovider.NewSSHAgentProvider(configs)
	if err != nil {
		return nil, fmt.Errorf("offering ssh agents: %w", err)
	}
	return provider, nil
}

// CheckSSH looks whether the agents and keys can be offered.
func CheckSSH(list []SSH) error {
	_, err := agents(list)
	return err
}
