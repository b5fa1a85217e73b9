package kernel

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loadDeviceProgram loads a program that would let a control group of v2 use every
// device, as a runtime does for each container, and attaches it to nothing. It is gone
// with its descriptor.
func loadDeviceProgram() error {
	code := [2]uint64{
		// As on a little-endian machine: r0 = 1; exit. The opcode is the first byte.
		0x1_0000_00b7, 0x95,
	}
	if !littleEndian() {
		code = [2]uint64{0xb7_00_0000_0000_0001, 0x95_00_0000_0000_0000}
	}
	license := [4]byte{'G', 'P', 'L'}
	attr := struct {
		kind, count   uint32
		code, license uint64
		rest          [12]uint64
	}{
		kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(code)),
		code: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(&code)
	runtime.KeepAlive(&license)
	if errno != 0 {
		return fmt.Errorf("loading a program for devices: %w", errno)
	}
	return unix.Close(int(fd))
}

func littleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}
