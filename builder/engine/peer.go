package engine

import (
	"fmt"
	"net"
	"os"
)

// ForeignPeerError says that the other end of the engine's socket is another user.
// It is root, too, who is refused by a plain user's engine: a state folder belongs
// to one user.
type ForeignPeerError struct {
	Socket string
	// UID is the user, as this process's user namespace numbers them.
	UID int
}

func (e *ForeignPeerError) Error() string {
	return fmt.Sprintf("what listens on %s is run by user %d and not by this one", e.Socket, e.UID)
}

// Hint says what to do.
func (e *ForeignPeerError) Hint() string {
	return "give another --state folder, and look who may write to this one"
}

// checkPeer refuses a connection whose other end is another user's: a session
// offers credentials and files, and an engine runs what it is told. The folder and
// the mode of the socket say the same; the kernel's word holds also where these
// were changed. Numbers are those of this process's user namespace, so that root of
// the namespace and the user who owns it are one.
func checkPeer(conn net.Conn, socket string) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("asking who is at the other end of %s: %w", socket, err)
	}
	if uid != os.Geteuid() {
		return &ForeignPeerError{Socket: socket, UID: uid}
	}
	return nil
}
