// Package contents says which files of a build context a COPY or ADD takes in, and which
// of them are programs: a prebuilt binary is for one machine, and no build error names it.
//
// Only first bytes are read. Each file is opened once, however many instructions take it
// in, and nothing is opened that none of them can. Archives are known by their first bytes, whatever
// they are called, and the files in them are looked at in the same way: tar (also in
// gzip, xz, zstd and bzip2), zip (jar, war, wheel), deb, rpm, and Alpine's apk. An archive in an
// archive is looked into, one in that is not.
//
// An archive says how large it is, and may lie: what a look may cost has bounds, and what was not
// looked at is a Note.
//
// Which files a source stands for is BuildKit's word: wildcards (path.Match on each part of a path),
// folders, --exclude, --parents; links in a source are followed, links below it are not.
package contents

import (
	"github.com/archbuild/archbuild/internal/program"
	"github.com/archbuild/archbuild/platform"
)

// Copy is one COPY or ADD from the context, as some platforms see it.
type Copy struct {
	// Line of the instruction, and the stage (an index) it stands in.
	Line, Stage int
	// Platforms that take in just these sources.
	Platforms []platform.Platform
	// Final tells that what it brings gets into the image.
	Final bool
	// Sources are paths of the context, variables filled in; addresses and heredocs are none.
	Sources []string
	// Exclude are the patterns of --exclude.
	Exclude []string
	// Parents tells that the folders of a source are kept (--parents).
	Parents bool
	// Unpack tells that it unpacks archives, as ADD does.
	Unpack bool
	// Dest is a path of the stage, as absolute as can be told, with a slash behind it
	// where it must be a folder; empty where it is not known.
	Dest string
}

// Program is a file that a Copy takes in, or that lies in an archive it takes in.
type Program struct {
	// Copy is the index in Found.Copies.
	Copy int
	// Path in the context.
	Path string
	// Inside is the path in the archive that Path is; with a "!" between when it is one
	// in an archive in an archive. Else it is empty.
	Inside string
	// Image is the path in the stage, absolute, or empty where that is not known. What lies in
	// an archive that is not unpacked has that of the archive.
	Image string
	program.Program
}

// Foreign tells that a platform cannot run it.
func (p Program) Foreign(on platform.Platform) bool {
	a, _ := p.RunsOn(on)
	return a == program.Cannot
}

// Link is a symbolic link that a Copy takes in, or that lies in an archive it unpacks.
type Link struct {
	// Copy, Path, Inside and Image are as in Program.
	Copy                int
	Path, Inside, Image string
	// Target is what it says.
	Target string
	// Leads is the path in the context that it leads to, or empty.
	Leads string
}

// Note is a file or folder of the context that was not looked into, or not wholly.
type Note struct {
	Path string
	// Why is a clause: "it is damaged".
	Why string
}

// Found is what the copies take in, in their order and then by path.
type Found struct {
	Copies   []Copy
	Programs []Program
	Links    []Link
	// Notes by path; each file once.
	Notes []Note
}
