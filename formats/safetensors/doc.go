// Package safetensors reads and lays out .safetensors files: eight bytes with the length of
// the header, little endian, then the header in JSON, then the tensors one after the other
// (safetensors' README.md, "Format", and safetensors/src/tensor.rs).
//
// # How a byte travels
//
// Open reads the header and nothing else (read.go). It is parsed in one pass into tensors,
// without a tree of JSON values in between (json.go), because a header has a hundred
// megabytes at most and 500 000 tensors at most. Each tensor is a segment.Range of the
// source.
//
// NewLayout goes the other way (layout.go): it sorts the tensors of a view as the reference
// writer does, the widest elements first, and counts the bytes of the header, so that the
// size of the file is known before anybody opens it. The header is padded so that the data
// begins at a multiple of 4096, and is written when File is called. The bytes of the
// tensors are whatever their Data is: ranges of a .pt, chunks of an HDF5 file.
package safetensors
