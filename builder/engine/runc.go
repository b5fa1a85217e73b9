package engine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// noRuncName is the name under which the engine runs itself in place of a
// missing runc, to say so.
const noRuncName = "no-runc"

// rootDirs are folders of root's programs, which the PATH of a plain user leaves
// out; Debian has its runc there.
var rootDirs = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// FindRunc gives the absolute path of the runc to run containers with: flag
// (from --runc, a path or a name), else the one beside this program, else the
// one on PATH or, for a plain user, where root's programs are. The error is a
// *MissingRuncError. A build without RUN needs none.
func FindRunc(flag string) (string, error) {
	if flag != "" {
		path, err := lookPath(flag)
		if err != nil {
			return "", &MissingRuncError{Asked: flag, Err: err}
		}
		return path, nil
	}
	if exe, err := os.Executable(); err == nil {
		if path, err := lookPath(filepath.Join(filepath.Dir(exe), "runc")); err == nil {
			return path, nil
		}
	}
	path, err := lookPath("runc")
	if err == nil {
		return path, nil
	}
	if os.Geteuid() != 0 {
		for _, dir := range rootDirs {
			if path, err := lookPath(filepath.Join(dir, "runc")); err == nil {
				return path, nil
			}
		}
	}
	return "", &MissingRuncError{Err: err}
}

func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	// A runc in the current folder that PATH names as "." is not taken; one
	// that the user names is.
	if err != nil && !(errors.Is(err, exec.ErrDot) && filepath.Base(name) != name) {
		return "", err
	}
	return filepath.Abs(path)
}
