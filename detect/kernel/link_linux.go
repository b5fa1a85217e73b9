package kernel

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// addLink asks for a network device of a kind, in the network namespace of this
// thread. Kinds that need more than a name are refused with EINVAL and the like,
// which says that the kernel knows them: nil then, too.
func addLink(kind string) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return errAside{err}
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}); err != nil {
		return errAside{err}
	}
	if err := unix.Sendto(fd, newLink(kind), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return errAside{err}
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return errAside{err}
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil || len(messages) == 0 || messages[0].Header.Type != unix.NLMSG_ERROR || len(messages[0].Data) < 4 {
		return errAside{fmt.Errorf("an answer that is none: %w", unix.EBADMSG)}
	}
	switch errno := unix.Errno(-int32(binary.NativeEndian.Uint32(messages[0].Data))); errno {
	case unix.EOPNOTSUPP, unix.EPERM, unix.EACCES:
		return errno
	}
	return nil
}

// newLink is RTM_NEWLINK with the kind alone; the kernel chooses the name.
func newLink(kind string) []byte {
	info := attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_KIND, []byte(kind)))
	body := append(make([]byte, unix.SizeofIfInfomsg), info...)
	head := make([]byte, 0, unix.NLMSG_HDRLEN+len(body))
	head = binary.NativeEndian.AppendUint32(head, uint32(unix.NLMSG_HDRLEN+len(body)))
	head = binary.NativeEndian.AppendUint16(head, unix.RTM_NEWLINK)
	head = binary.NativeEndian.AppendUint16(head, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	head = append(head, make([]byte, 8)...) // sequence and sender
	return append(head, body...)
}

// attribute is length, type and value, filled up to four bytes.
func attribute(kind uint16, value []byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, value...)
	return append(a, make([]byte, -len(a)&3)...)
}
