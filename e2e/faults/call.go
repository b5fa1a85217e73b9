//go:build linux && amd64

package faults

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Call is a system call that changes a file.
type Call struct {
	// Name is that of the call: write, openat, renameat.
	Name string
	// Path is the file, absolute; of a rename or a link the new name.
	Path string
	// room says that a full disk fails it.
	room bool
	// length is how many bytes it is to write; 0 if it is no write.
	length uint64
	// at is the register that holds the length.
	at func(*unix.PtraceRegs) *uint64
}

func (c Call) String() string { return fmt.Sprintf("%s %s", c.Name, c.Path) }

// kind is where a call has its file and what it needs.
type kind struct {
	name string
	// fd is the argument with an open file, dir and path those with a folder and a name below it, counted from 0; none is -1.
	fd, dir, path int
	room          bool
	// length is the argument with the number of bytes to write; 0 is none.
	length int
	// opens is the argument with the flags of open, opensHow that with a struct open_how.
	opens, opensHow int
}

func ofFile(name string, fd int, room bool, length int) kind {
	return kind{name: name, fd: fd, dir: -1, path: -1, room: room, length: length}
}

func ofName(name string, dir, path int, room bool) kind {
	return kind{name: name, fd: -1, dir: dir, path: path, room: room}
}

// kinds are the calls that change files, with the arguments of amd64.
var kinds = map[uint64]kind{
	unix.SYS_WRITE:           ofFile("write", 0, true, 2),
	unix.SYS_PWRITE64:        ofFile("pwrite64", 0, true, 2),
	unix.SYS_WRITEV:          ofFile("writev", 0, true, 0),
	unix.SYS_PWRITEV:         ofFile("pwritev", 0, true, 0),
	unix.SYS_SENDFILE:        ofFile("sendfile", 0, true, 3),
	unix.SYS_COPY_FILE_RANGE: ofFile("copy_file_range", 2, true, 4),
	unix.SYS_SPLICE:          ofFile("splice", 2, true, 4),
	unix.SYS_FTRUNCATE:       ofFile("ftruncate", 0, false, 0), // to less
	unix.SYS_FALLOCATE:       ofFile("fallocate", 0, true, 0),
	unix.SYS_FSYNC:           ofFile("fsync", 0, true, 0),
	unix.SYS_FDATASYNC:       ofFile("fdatasync", 0, true, 0),
	unix.SYS_FCHMOD:          ofFile("fchmod", 0, false, 0),
	unix.SYS_FCHOWN:          ofFile("fchown", 0, false, 0),
	unix.SYS_FSETXATTR:       ofFile("fsetxattr", 0, true, 0),
	unix.SYS_TRUNCATE:        ofName("truncate", -1, 0, true),
	unix.SYS_CHMOD:           ofName("chmod", -1, 0, false),
	unix.SYS_FCHMODAT:        ofName("fchmodat", 0, 1, false),
	unix.SYS_FCHMODAT2:       ofName("fchmodat2", 0, 1, false),
	unix.SYS_FCHOWNAT:        ofName("fchownat", 0, 1, false),
	unix.SYS_UTIMENSAT:       ofName("utimensat", 0, 1, false),
	unix.SYS_RENAME:          ofName("rename", -1, 1, true),
	unix.SYS_RENAMEAT:        ofName("renameat", 2, 3, true),
	unix.SYS_RENAMEAT2:       ofName("renameat2", 2, 3, true),
	unix.SYS_LINK:            ofName("link", -1, 1, true),
	unix.SYS_LINKAT:          ofName("linkat", 2, 3, true),
	unix.SYS_SYMLINK:         ofName("symlink", -1, 1, true),
	unix.SYS_SYMLINKAT:       ofName("symlinkat", 1, 2, true),
	unix.SYS_MKDIR:           ofName("mkdir", -1, 0, true),
	unix.SYS_MKDIRAT:         ofName("mkdirat", 0, 1, true),
	unix.SYS_MKNODAT:         ofName("mknodat", 0, 1, true),
	unix.SYS_UNLINK:          ofName("unlink", -1, 0, false),
	unix.SYS_UNLINKAT:        ofName("unlinkat", 0, 1, false),
	unix.SYS_RMDIR:           ofName("rmdir", -1, 0, false),
	unix.SYS_OPEN:            {name: "open", fd: -1, dir: -1, path: 0, room: true, opens: 1},
	unix.SYS_OPENAT:          {name: "openat", fd: -1, dir: 0, path: 1, room: true, opens: 2},
	unix.SYS_OPENAT2:         {name: "openat2", fd: -1, dir: 0, path: 1, room: true, opensHow: 2},
}

// argument is the register of the n-th argument of a system call.
func argument(r *unix.PtraceRegs, n int) *uint64 {
	return []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}[n]
}

// call reads what a thread is about to do. It is false for what changes no file below the folders.
func (t *tracing) call(tid int, r *unix.PtraceRegs) (Call, bool) {
	k, known := kinds[r.Orig_rax]
	if !known {
		return Call{}, false
	}
	c := Call{Name: k.name, room: k.room}
	if k.fd >= 0 {
		c.Path = opened(tid, int(int32(*argument(r, k.fd))))
	} else {
		c.Path = named(tid, r, k)
	}
	if !t.watches(c.Path) || !k.changes(tid, r, c.Path) {
		return Call{}, false
	}
	if k.length > 0 {
		c.length, c.at = *argument(r, k.length), func(r *unix.PtraceRegs) *uint64 { return argument(r, k.length) }
	}
	return c, true
}

// watches says whether a path is below one of the folders.
func (t *tracing) watches(path string) bool {
	for _, folder := range t.Below {
		if path == folder || strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// opened is the path of an open file; of a pipe or a socket it is none.
func opened(tid, fd int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// named is the path that a call names.
func named(tid int, r *unix.PtraceRegs, k kind) string {
	name, err := text(tid, uintptr(*argument(r, k.path)))
	if err != nil || filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	from := fmt.Sprintf("/proc/%d/cwd", tid)
	if k.dir >= 0 && int32(*argument(r, k.dir)) != unix.AT_FDCWD {
		from = fmt.Sprintf("/proc/%d/fd/%d", tid, int32(*argument(r, k.dir)))
	}
	folder, err := os.Readlink(from)
	if err != nil {
		return ""
	}
	return filepath.Join(folder, name)
}

// changes says whether an open makes or empties a file, or keeps one without a name; other calls always change.
func (k kind) changes(tid int, r *unix.PtraceRegs, path string) bool {
	var flags uint64
	switch {
	case k.opens > 0:
		flags = *argument(r, k.opens)
	case k.opensHow > 0:
		how := make([]byte, 8)
		if read(tid, uintptr(*argument(r, k.opensHow)), how) != len(how) {
			return false
		}
		flags = binary.LittleEndian.Uint64(how)
	default:
		return true
	}
	if flags&unix.O_TMPFILE == unix.O_TMPFILE || flags&unix.O_TRUNC != 0 {
		return true
	}
	_, err := os.Lstat(path)
	return flags&unix.O_CREAT != 0 && os.IsNotExist(err)
}

// text reads a string of the program, page by page: what is behind its end may not be there.
func text(tid int, at uintptr) (string, error) {
	const page = 4096
	var all []byte
	for len(all) < page {
		part := make([]byte, page-at%page)
		n := read(tid, at, part)
		if n <= 0 {
			return "", fmt.Errorf("reading memory of thread %d", tid)
		}
		if end := strings.IndexByte(string(part[:n]), 0); end >= 0 {
			return string(append(all, part[:end]...)), nil
		}
		all, at = append(all, part[:n]...), at+uintptr(n)
	}
	return "", unix.ENAMETOOLONG
}

// read reads memory of the program and tells how much.
func read(tid int, at uintptr, into []byte) int {
	local := unix.Iovec{Base: &into[0], Len: uint64(len(into))}
	n, err := unix.ProcessVMReadv(tid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: at, Len: len(into)}}, 0)
	if err != nil {
		return -1
	}
	return n
}
