// Package export writes what can be read at any offset (segment.Data) to files of this
// machine: in parallel, in constant memory, and either whole or not at all.
//
// # How a byte travels
//
// A file is cut into chunks. Each of a few workers takes the next, reads it in pieces that
// fit into a processor's cache, and writes what is not zero: a run of zeros that covers a
// block becomes a hole (chunk.go). Where the file system can share or copy bytes by itself,
// it is asked first (clone_linux.go). All of it goes to a temporary name beside the
// destination (atomic.go). When every byte is written, the source is asked whether it is
// still the one that was opened; then the file is brought to the disk, read back if that is
// wanted (verify.go), and renamed. A directory is made in the same way under a temporary
// name, and appears with all that is in it. Whatever fails or is interrupted before that
// leaves nothing.
package export
