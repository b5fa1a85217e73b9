// Package faults runs a program and makes one chosen change of a file fail.
//
// A program changes files by a handful of system calls: it opens a file that
// was not there, writes, gives it a mode, renames it, removes it. Each of them
// can fail, and the program can end before or after each. A test that tries
// only "the disk is full" from the start meets the first of these places and
// never the others. Here the program runs as it is, no interface in it is
// replaced, under a tracer that counts those calls and interferes with exactly
// one:
//
//	run 1     open ×            write    chmod   rename
//	run 2     open      write ×         chmod   rename
//	run 3     open      write    chmod ×         rename
//	...                                                  until the n-th call is never reached
//
// The tracer is ptrace(2): the kernel stops every thread of the program at
// every system call, before and after it. Before, the number of the call can be
// changed to one that does not exist, so that it is not made; after, its result
// can be changed to an error. A short write is a genuine one: the kernel gets
// half of the length. Programs that the program starts are left alone: they have
// files of their own.
//
// It is Linux on amd64 alone, since registers are.
package faults
