package treesum

import (
	"encoding/binary"
	"time"
)

// facts are what the system says of a file without reading it.
type facts struct {
	// known says that the system tells all of it.
	known bool
	size  int64
	// written and changed are nanoseconds: of the content, and of anything about the file.
	written, changed int64
	// on is the device that the file lies on, device what a device node stands for.
	on, inode, device uint64
	links             uint64
	// settled says that the file was read, and did not change lately.
	settled bool
}

// What a file system's clock may be behind the system's own. Where its times have no
// parts of a second, it counts whole ones (or, on FAT, two).
const (
	tick   = 100 * time.Millisecond
	coarse = 2500 * time.Millisecond
)

// before says whether the last change is so long before a moment that any later one
// would get another time.
func (f facts) before(moment time.Time) bool {
	grain := tick
	if f.changed%int64(time.Second) == 0 {
		grain = coarse
	}
	return f.changed < moment.Add(-grain).UnixNano()
}

// append writes what has to stay as it is.
func (f facts) append(to []byte) []byte {
	for _, number := range []uint64{uint64(f.size), uint64(f.written), uint64(f.changed), f.on, f.inode} {
		to = binary.LittleEndian.AppendUint64(to, number)
	}
	return to
}

// sizeAndTime is how many bytes of these a node goes by.
const sizeAndTime = 2 * 8

// factBytes is how many bytes append writes.
const factBytes = 5 * 8
