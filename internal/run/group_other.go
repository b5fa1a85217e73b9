//go:build !linux

package run

import "syscall"

// ownGroup makes the process the head of a group. Only Linux has namespaces.
func ownGroup(Options) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
