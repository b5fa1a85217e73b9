// Package treesum tells whether a tree of files is still what it was.
//
// A Tree is walked without what an ignore file leaves out, and every entry gets
// a digest of what is in it. The digest of the whole is made of
//
//	names        below the root, in the order of a walk
//	kinds        file, folder, symbolic link, device …, with all permission bits
//	contents     of files; where symbolic links lead to; which names are one file
//	attributes   extended ones (xattrs), as far as they reach an image
//
// Owners and times are no part of it: builders make every file root's, and a
// file that was only touched is the same file.
//
// Reading everything again to find that nothing has changed is what takes time.
// So what was read is remembered with what the system says of the file: size,
// times, inode. A file of which all of that is as before is not read again. The
// time of the last change (ctime) is among it, which no program can set back, and
// a file that was changed just before it was looked at is not remembered at all:
// another change within the same tick of the clock could not be seen.
package treesum
