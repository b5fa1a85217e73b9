//go:build !linux

package detect

import "errors"

// userAndMounts: there are no namespaces.
const userAndMounts = 0

// memoryFile fails: programs for Linux do not run here.
func memoryFile(string) (int, error) {
	return -1, errors.New("programs for Linux do not run on this system")
}

// peekBinfmt finds no registry of emulators.
func peekBinfmt(Options, bool) (closePeek func(), dir string) { return nil, "" }

// mountFresh fails: only Linux has such file systems.
func mountFresh(string, string) error { return errors.ErrUnsupported }

// kernelLog fails: the kernel is not Linux.
func kernelLog() (string, error) { return "", errors.ErrUnsupported }
