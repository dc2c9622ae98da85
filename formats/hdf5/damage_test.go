package hdf5

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// readable reads every dataset of a file and returns the error of each, by path; of
// those that are unreachable the reason.
func readable(t *testing.T, b []byte) map[string]error {
	t.Helper()
	errs := map[string]error{}
	err := open(t, b).Walk(func(path string, obj Object) error {
		switch o := obj.(type) {
		case *Dataset:
			if o.Unsupported() == "" {
				_, err := o.ReadAt(make([]byte, o.Size()), 0)
				if err == io.EOF {
					err = nil
				}
				errs[path] = err
			}
		case *Unreachable:
			if o.Err != nil {
				errs[path] = o.Err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return errs
}

// TestDamage changes one byte of a dataset's header, of its chunk index or of a chunk
// with a checksum: that dataset gives an error, and all others what they gave before.
func TestDamage(t *testing.T) {
	type place struct {
		off  int64
		want string
	}
	for _, name := range []string{"v110.h5", "latest.h5", "special.h5"} {
		whole := fixture(t, name)
		f := open(t, whole)
		places := map[string][]place{}
		shared := map[uint64][]string{}
		err := f.Walk(func(path string, obj Object) error {
			shared[obj.Address()] = append(shared[obj.Address()], path)
			d, ok := obj.(*Dataset)
			if !ok || d.Unsupported() != "" || len(shared[obj.Address()]) > 1 {
				return nil
			}
			places[path] = append(places[path], place{f.offset(d.addr) + 12, "checksum"})
			if d.layout.class != layoutChunked || d.layout.addr == undefined {
				return nil
			}
			if d.layout.index >= indexFixedArray {
				places[path] = append(places[path], place{f.offset(d.layout.addr) + 6, "checksum"})
			}
			for _, fl := range d.filters {
				if x, err := d.chunks(); err == nil && fl.id == filterFletcher32 {
					places[path] = append(places[path], place{f.offset(x.entries[0].addr) + 3, "checksum"})
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for path, list := range places {
			for _, at := range list {
				tried++
				b := bytes.Clone(whole)
				b[at.off] ^= 0x10
				broken := 0
				var names []string
				for _, other := range shared {
					if other[0] == path {
						names = other
					}
				}
				for other, err := range readable(t, b) {
					var format *FormatError
					switch {
					case err == nil:
					case !slices.Contains(names, other):
						t.Errorf("%s: damage to %s breaks %s: %v", name, path, other, err)
					case !errors.As(err, &format) || !strings.Contains(err.Error(), at.want):
						t.Errorf("%s: damage to %s at %d: %v", name, path, at.off, err)
					default:
						broken++
					}
				}
				if broken == 0 {
					t.Errorf("%s: damage to %s at %d goes unnoticed", name, path, at.off)
				}
			}
		}
		if tried < 10 {
			t.Errorf("%s: only %d places", name, tried)
		}
	}
}
