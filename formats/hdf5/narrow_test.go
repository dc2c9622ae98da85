package hdf5

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
)

// narrowed makes a dataset of a file have integers of ten bits at bit three.
func narrowed(t *testing.T, name, path string, kind Kind) *Dataset {
	t.Helper()
	obj, err := open(t, fixture(t, name)).Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := obj.(*Dataset)
	if d.Dtype.Size != 2 && d.Dtype.Size != 8 {
		t.Fatalf("%s has elements of %d bytes", path, d.Dtype.Size)
	}
	d.Dtype.Kind, d.Dtype.precision, d.Dtype.offset = kind, 10, 3
	return d
}

// TestNarrow reads integers of ten bits whole and in pieces, in every layout.
func TestNarrow(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for _, path := range []string{"types/little i8", "types/big u2", "chunked/shuffled doubles", "chunked/shuffled halves"} {
		for _, kind := range []Kind{KindInt, KindUint} {
			d := narrowed(t, "latest.h5", path, kind)
			if _, _, ok := d.Contiguous(); ok {
				t.Errorf("%s is a range of the file", path)
			}
			raw, got := make([]byte, d.size), make([]byte, d.size)
			if _, err := d.readRaw(raw, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := d.ReadAt(got, 0); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(raw, []byte{0}) == len(raw) {
				t.Errorf("%s: nothing but zeros", path)
			}
			size := int(d.Dtype.Size)
			for i := 0; i < len(raw); i += size {
				v := number(raw[i:i+size], d.Dtype.Order) >> 3 & 1023
				if kind == KindInt && v >= 512 {
					v |= ^uint64(1023)
				}
				if v &= 1<<(8*size-1)<<1 - 1; number(got[i:i+size], d.Dtype.Order) != v {
					t.Fatalf("%s: %x, want %#x of %x", path, got[i:i+size], v, raw[i:i+size])
				}
			}
			for range 50 {
				off := random.IntN(len(got))
				p := make([]byte, random.IntN(len(got)-off+3))
				n, err := d.ReadAt(p, int64(off))
				if want := min(len(p), len(got)-off); n != want || (err == io.EOF) != (len(p) > want) || !bytes.Equal(p[:n], got[off:off+n]) {
					t.Fatalf("%s: %d bytes at %d: %d, %v", path, len(p), off, n, err)
				}
			}
		}
	}
}

func number(b []byte, order ByteOrder) uint64 {
	b = bytes.Clone(b)
	if order == BigEndian {
		reverse(b, len(b))
	}
	return binary.LittleEndian.Uint64(append(b, make([]byte, 8)...))
}
