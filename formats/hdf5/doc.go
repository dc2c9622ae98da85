// Package hdf5 reads HDF5 files: lazily, within bounds, and nothing but the one
// file that it is given.
//
// # How a byte travels
//
// Open finds the superblock (superblock.go) and with it the address of the root
// group's object header. Everything in a file hangs on object headers (header.go):
// lists of messages that say what an object is. A group's messages lead to its
// links (group.go), which lie in the header itself, in a B-tree with a local heap
// (btree1.go, localheap.go), or in a fractal heap indexed by another kind of B-tree
// (fractalheap.go, btree2.go). A dataset's messages give its shape (dataspace.go),
// its element type (datatype.go), the value of what was never written (fill.go),
// the filters its bytes went through (pipeline.go), and where they lie (layout.go).
//
// Dataset.ReadAt takes a range of the dataset's bytes, in C order and in the byte
// order of the file. Contiguous and compact data are one range of the file and are
// read straight into the caller's buffer. Chunked data need the chunk index
// (chunkindex*.go), which is loaded at the first read; the range is cut into boxes
// (box.go), each box is met with the chunk grid, and each chunk is read, run
// backwards through its filters (filter.go, and a file for each of them) and copied
// out, several side by side (chunkread.go). A small chunk that lies whole in the
// request is decoded for it alone, into the caller's buffer where it fits; others pass
// through a ChunkCache (cache.go), which has a hard cap and is shared by all files of a
// mount. Large chunks are decoded ahead of a reader that goes through them in order
// (readahead.go).
//
// A program may have left an image of its metadata cache in the file; then structures
// are read from there rather than at their addresses (cacheimage.go).
//
// # What a file cannot do
//
// Every length, count and address is a lie until it is checked against the bytes
// that are there. Checksums are verified. Metadata is read by a reader with a
// budget (reader.go), so no cycle and no cleverly shared node makes a walk endless.
// Nothing is allocated that the file's own size or a documented cap does not cover.
// External files, external links and virtual datasets would read other files: they
// are named in the reason and never opened.
//
// The layout of every structure is that of the HDF5 File Format Specification
// Version 4.0; section numbers refer to it. Where it is silent the comments name
// the source file of the HDF5 library that decides.
package hdf5
