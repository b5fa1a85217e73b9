package treesum

import (
	"io/fs"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// factsOf reads what the system has said.
func factsOf(info fs.FileInfo) facts {
	f := facts{size: info.Size(), written: info.ModTime().UnixNano()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.known, f.changed = true, stat.Ctim.Nano()
		f.on, f.inode, f.device, f.links = uint64(stat.Dev), stat.Ino, uint64(stat.Rdev), uint64(stat.Nlink) //nolint:unconvert // elsewhere they are shorter
	}
	return f
}

// timesReliable says whether a folder lies on a file system that gives a file another time
// at each change, which no program can set back. Of others, what was read is not remembered:
// those that stand for another machine or a program (NFS, 9p, FUSE …) can be late, or tell
// the time of the content; those that were made once (squashfs …) have the same times in
// their next version; and tmpfs does not see what is written through a mapping.
func timesReliable(folder string) bool {
	var stat unix.Statfs_t
	if unix.Statfs(folder, &stat) != nil {
		return false
	}
	const zfs, bcachefs = 0x2fc12fc1, 0xca451a4e
	return slices.Contains([]uint32{
		unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, zfs, bcachefs,
	}, uint32(stat.Type))
}
