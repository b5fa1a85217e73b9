package treesum

import (
	"io/fs"
	"syscall"
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
