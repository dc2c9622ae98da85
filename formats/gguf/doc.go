// Package gguf reads the files of llama.cpp: versions 2 and 3, little and big endian, whole or
// split into several (ggml/docs/gguf.md; ggml/src/gguf.cpp; gguf-py/gguf/gguf_reader.py).
//
// # How a byte travels
//
// A cursor goes over the header once (cursor.go): key-value pairs, of which scalars, texts and
// the heads of arrays are kept (metadata.go), then a line for each tensor (read.go). A
// tokenizer's arrays have hundreds of thousands of texts; they are stepped over, one length at
// a time. Each tensor is a segment.Range of the source, its shape turned round: ggml counts
// dimensions from the fastest. Types with blocks keep their bytes (types.go), and package ops
// makes float32 of them.
//
// A file that says that it is one of several is opened with the others, whichever of them was
// named (split.go): they are the shards of one model.
package gguf
