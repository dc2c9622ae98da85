// Package keras reads weights that Keras 2 and 3 wrote, and any other HDF5 file of
// arrays: legacy .h5 (save_weights, save), .weights.h5, and .keras, a zip file with
// an HDF5 file in it that is read in place. Configurations are shown and never decoded
// into objects: a Lambda layer in them can hold code.
package keras

import (
	"bytes"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/hdf5"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// signature begins an HDF5 file, or stands at 512, 1024, 2048 … after a user block.
const signature = "\x89HDF\r\n\x1a\n"

// Format is the reader of HDF5 files and of what Keras makes of them. Decoded chunks are
// kept in chunks, what is inflated of zip files in inflated: their caps are those of all
// files that share them. Either may be nil.
func Format(chunks *hdf5.ChunkCache, inflated *deflate.Cache) checkpoint.Format {
	return checkpoint.Format{Name: "keras", Detect: detect, Open: func(src source.Source) (*checkpoint.Checkpoint, error) {
		return Open(src, chunks, inflated)
	}}
}

// detect tells HDF5, and a zip with Keras's members. Programs that look at the
// first bytes take HDF5 after a user block for something else, so others come before.
func detect(prefix []byte, file segment.Data) checkpoint.Match {
	if isArchive(prefix, file) {
		return checkpoint.Certain
	}
	return DetectHDF5(prefix, file)
}

// DetectHDF5 tells HDF5 alone.
func DetectHDF5(prefix []byte, file segment.Data) checkpoint.Match {
	if bytes.HasPrefix(prefix, []byte(signature)) {
		return checkpoint.Certain
	}
	head, last := make([]byte, len(signature)), int64(1<<20)
	if segment.IsDistant(file) {
		last = 1 << 18 // what comes with the first bytes: each step more is a round trip
	}
	for at := int64(512); at < file.Size() && at <= last; at *= 2 {
		if segment.ReadFull(file, head, at) == nil && string(head) == signature {
			return checkpoint.Possible
		}
	}
	return checkpoint.No
}

// Open reads the headers and attributes of all objects, and no array. The caches are as
// for Format.
func Open(src source.Source, chunks *hdf5.ChunkCache, inflated *deflate.Cache) (*checkpoint.Checkpoint, error) {
	w, err := open(src, chunks, inflated)
	if err != nil {
		return nil, err
	}
	return w.out, nil
}

func open(src source.Source, chunks *hdf5.ChunkCache, inflated *deflate.Cache) (*walker, error) {
	if chunks == nil {
		chunks = hdf5.NewChunkCache(hdf5.DefaultCacheSize)
	}
	out := &checkpoint.Checkpoint{Format: "hdf5", Source: src, Separator: "/", Framework: "tf", Unpickled: true}
	prefix := make([]byte, min(64, src.Size()))
	if err := segment.ReadFull(src, prefix, 0); err != nil {
		return nil, err
	}
	w := &walker{file: src, out: out, byAddress: map[uint64]*checkpoint.Tensor{}, attributes: map[string]map[string]any{}}
	if bytes.HasPrefix(prefix, []byte(zip.Magic)) {
		out.Format = "keras"
		var err error
		if w.file, err = w.openZip(src, inflated); err != nil {
			return nil, err
		}
	}
	f, err := hdf5.Open(w.file, w.file.Size(), hdf5.Options{Cache: chunks})
	if err != nil {
		return nil, err
	}
	if f.LeftOpen() {
		w.note("the file is marked as open for writing: its writer runs or was killed, and what is shown may be old or torn (h5clear -s clears the mark)")
	}
	if err := w.walk(f); err != nil {
		return nil, err
	}
	w.finish()
	return w, nil
}
