package torch

import (
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// The fuzz targets begin with files that torch wrote. Each opens what it is given as
// one format, reads what it claims to hold.

// seedsOf adds the seed files whose names begin with one of prefixes.
func seedsOf(f *testing.F, prefixes ...string) {
	found := false
	for name, b := range seeds(f) {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				f.Add(b)
				found = true
			}
		}
	}
	if !found {
		f.Fatalf("no seed file is called %q", prefixes)
	}
}

// try walks a value that a format's reader returned.
func try(t *testing.T, b []byte, root pickle.Value, r *resolver, err error) {
	if err != nil {
		return
	}
	c := newCollector(r, int64(len(b)))
	c.walk("", root, 0)
	if c.fault != nil {
		return
	}
	c.candidates(root)
	c.notes(root, "")
	c.objects(root)
	var buf [64]byte
	for i, tensor := range c.tensors {
		size, err := checkpoint.ByteSize(tensor.DType, tensor.Shape)
		if err != nil || size != tensor.Data.Size() {
			t.Fatalf("tensor %q of %s %v has %d bytes (%v)", tensor.Key, tensor.DType, tensor.Shape, tensor.Data.Size(), err)
		}
		if i == 16 {
			break
		}
		tensor.Data.ReadAt(buf[:], max(0, size-int64(len(buf))))
	}
}

func FuzzLegacy(f *testing.F) {
	seedsOf(f, "legacy", "whole_legacy")
	f.Fuzz(func(t *testing.T, b []byte) {
		file := segment.Literal(b)
		first, err := pickle.Load(file, 0, file.Size(), pickle.Options{})
		if err != nil {
			return
		}
		root, r, err := openLegacy(file, first, pickle.Options{})
		try(t, b, root, r, err)
	})
}

func FuzzTar(f *testing.F) {
	seedsOf(f, "tar")
	f.Fuzz(func(t *testing.T, b []byte) {
		root, r, err := openTar(segment.Literal(b))
		try(t, b, root, r, err)
	})
}

func FuzzZip(f *testing.F) {
	seedsOf(f, "state_dict", "protocol5", "checkpoint", "parts", "script", "unusual", "sharded")
	f.Fuzz(func(t *testing.T, b []byte) {
		root, r, _, err := openZip(segment.Literal(b), nil, pickle.Options{}, &turn{})
		try(t, b, root, r, err)
	})
}

// FuzzWholeModel changes the pickle of a whole model and keeps the zip around it right.
func FuzzWholeModel(f *testing.F) {
	whole := seeds(f)["whole.pt"]
	_, r, _, err := openZip(segment.Literal(whole), nil, pickle.Options{}, &turn{})
	if err != nil {
		f.Fatal(err)
	}
	b := make([]byte, r.file.Size())
	if _, err := r.file.ReadAt(b, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := pickle.Load(segment.Literal(b), 0, int64(len(b)), pickle.Options{})
		if err != nil {
			return
		}
		fresh := newResolver(segment.Literal(b), nil, r.resolve, len(res.PersIDs))
		try(t, b, res.Value, fresh, nil)
	})
}
