// Package segment is the ground floor: runs of bytes that can be read at any offset.
// Whatever wfs serves (a .npy, a raw file, a shard, a whole view) is one Data, put
// together from smaller ones.
//
// # How a byte travels
//
// A reader of a format says where each tensor's bytes are: a Range of its source; a
// Strided, where the elements lie there in another order; an Elementwise, where they have
// to be swapped, negated or widened; a Computed, where they are made of other tensors. A List
// puts a header (a Literal) in front of them, or tensors one after the other; Interleaved are
// the rows of several in turn. Nothing is read while this is built, and a Layout takes a
// gather apart again for the next movement.
//
// ReadAt comes from above with an offset. A List finds the part that holds it by a binary
// search (list.go) and reads small ranges that are neighbours in the source by one call. A
// Strided works out which rectangle of its array the request covers and walks it in the
// order of the source, so that one read serves as many elements as lie near each other
// (strided.go, scatter.go). Where that is few, as in a transposed matrix, and much is read
// of one place, a whole band of the output is made at once, on all processors, and kept for
// the requests after it (band.go, bands.go). An Elementwise widens the request to whole elements and works
// in the caller's buffer where it can (elementwise.go). A Range adds its offset.
//
// Memory depends on the request and never on the file: 256 KiB of scratch for a gather,
// and no more than the request itself for anything else; and what Bands may take, which all
// gathers of a mount share.
//
// # How the source is read
//
// What goes down through these layers is not a call of ReadAt but a ReadFunc, a way to
// read (read.go). ReadCached takes what is in memory and fails where that would mean
// waiting for a device; ReadUntil gives up with its context where the source can
// (Cancellable). Data that is made of other readers implements Composite and passes on the
// ReadFunc that it was given, so neither of them has to know what lies below.
package segment
