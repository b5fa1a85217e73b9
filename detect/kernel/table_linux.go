package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of getsockopt(2) on a raw socket, from linux/netfilter_ipv4/ip_tables.h;
// those of IPv6 have the same numbers, but for matches and targets.
const (
	getInfo           = 64 // of a table
	getRevisionMatch  = 66
	getRevisionTarget = 67
)

// askTables asks iptables' half of the kernel for a table, a match or a target by
// name. A question changes nothing.
func askTables(kind, name string) error {
	family, level := unix.AF_INET, unix.IPPROTO_IP
	if kind == "table6" {
		family, level, kind = unix.AF_INET6, unix.IPPROTO_IPV6, "table"
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return errAside{err}
	}
	defer unix.Close(fd)
	request, size := getInfo, 84 // struct ipt_getinfo
	switch kind {
	case "match":
		request, size = getRevisionMatch, 30 // struct xt_get_revision
	case "target":
		request, size = getRevisionTarget, 30
	}
	buffer := make([]byte, size)
	copy(buffer, name)
	length := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(request),
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(&length)), 0)
	switch {
	case errno == 0 || kind != "table" && errno == unix.EPROTONOSUPPORT: // there, in another revision
		return nil
	case kind != "table" && errno == unix.ENOENT:
		return unix.EOPNOTSUPP
	}
	// That iptables' old half lacks a table says nothing of nftables, which may serve instead.
	return errAside{fmt.Errorf("asking iptables: %w", unix.EBADMSG)}
}
