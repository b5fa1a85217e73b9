package engine

import "fmt"

// agentSocket is how long the path of an ssh agent's socket gets below the folder
// for temporary files, at most: BuildKit makes a folder with a random name for each.
const agentSocket = len("/.buildkit-ssh-sock") + len("4294967295") + len("/ssh_auth_sock")

// kernelSocket is the longest path that the kernel takes for a socket.
const kernelSocket = 107

// LongStateError says that the path of a state folder leaves no room for the
// sockets of ssh agents.
type LongStateError struct {
	Dir string
	// Most is how long its path may be.
	Most int
}

func (e *LongStateError) Error() string {
	return fmt.Sprintf("the engine cannot offer an ssh agent: the path of its state folder %s is longer than %d bytes", e.Dir, e.Most)
}

// Hint is to take another one.
func (e *LongStateError) Hint() string { return "give a folder with a shorter path: --state FOLDER" }

// CheckAgents says whether an engine in this state folder can offer ssh agents to
// builds. An error is a *LongStateError.
func CheckAgents(state string) error {
	l, err := newLayout(Options{State: state})
	if err != nil {
		return err
	}
	if over := len(l.tmp) + agentSocket - kernelSocket; over > 0 {
		return &LongStateError{Dir: l.state, Most: len(l.state) - over}
	}
	return nil
}
