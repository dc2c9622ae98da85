package formats

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// lfsPointer begins the text file that git leaves where a large file was not fetched
// (git-lfs docs/spec.md).
const lfsPointer = "version https://git-lfs.github.com/spec/"

// signatures are the beginnings of files that people take for weights.
var signatures = []struct{ magic, what string }{
	{lfsPointer, "it is a git-lfs pointer: run `git lfs pull` to fetch the file itself"},
	{"GGUF", "it is GGUF"},
	{"\x1f\x8b", "it is compressed with gzip: unpack it first"},
	{"\xfd7zXZ\x00", "it is compressed with xz: unpack it first"},
	{"\x28\xb5\x2f\xfd", "it is compressed with zstd: unpack it first"},
	{"BZh", "it is compressed with bzip2: unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first"},
	{"\x93NUMPY", "it is a .npy file already"},
	{"PYTORCH1", "it is of a preview of torch 1.0 that no release reads"},
	{"\x89PNG", "it is a PNG image"},
	{"\xff\xd8\xff", "it is a JPEG image"},
	{"%PDF", "it is a PDF"},
	{"\x7fELF", "it is a program"},
	{"<!DOCTYPE", "it is an HTML page: a download failed"},
	{"<html", "it is an HTML page: a download failed"},
	{"ggml", "it is GGML"},
	{"PK\x05\x06", "it is an empty zip file"},
}

// describe says what a file is that no reader knows, from its first bytes.
func describe(prefix []byte) string {
	if len(prefix) == 0 {
		return "it is empty"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(prefix, []byte(s.magic)) {
			return s.what
		}
	}
	if len(prefix) > 8 && string(prefix[4:8]) == "TFL3" {
		return "it is TensorFlow Lite"
	}
	if len(bytes.Trim(prefix, "\x00")) == 0 {
		return "it begins with zeros: a download is unfinished"
	}
	if bytes.Contains(prefix, []byte(`"weight_map"`)) {
		return "it is an index of shards: mount its directory"
	}
	if utf8.Valid(prefix) && !bytes.ContainsRune(prefix, 0) {
		return "it is text"
	}
	return fmt.Sprintf("it begins with % x", prefix[:min(8, len(prefix))])
}
