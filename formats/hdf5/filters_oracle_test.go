package hdf5

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilters reads what testdata/make_filters.py wrote, filters in every order among
// it, and compares it with what h5py reads. WFS_FILTERS names a directory with a larger
// file of the same kind.
func TestFilters(t *testing.T) {
	dir := "testdata"
	if other := os.Getenv("WFS_FILTERS"); other != "" {
		dir = other
	}
	text, err := os.ReadFile(filepath.Join(dir, "filters.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "filters.h5"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct {
		Shape                     []uint64
		SHA256, DType, Unreadable string
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	f := open(t, b)
	used := map[uint16]bool{}
	omitted := 0
	for path, want := range expected {
		obj, err := f.Open(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		d, ok := obj.(*Dataset)
		if !ok {
			t.Errorf("%s: a %T", path, obj)
			continue
		}
		for i := range d.filters {
			used[d.filters[i].id] = true
		}
		if want.Unreadable != "" {
			continue
		}
		if why := d.Unsupported(); strings.HasPrefix(why, "szip after") {
			omitted++
			continue
		} else if why != "" {
			t.Errorf("%s: %s", path, d.Unsupported())
			continue
		}
		p := make([]byte, d.Size())
		if n, err := d.ReadAt(p, 0); n != len(p) || err != nil && err != io.EOF {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if d.Dtype.Order == BigEndian {
			reverse(p, int(d.Dtype.Size))
		}
		if sum := sha256.Sum256(p); hex.EncodeToString(sum[:]) != want.SHA256 || fmt.Sprint(d.Dims) != fmt.Sprint(want.Shape) {
			t.Errorf("%s: other bytes, shape %d", path, d.Dims)
		}
	}
	if omitted > len(expected)/8 {
		t.Errorf("%d of %d are omitted", omitted, len(expected))
	}
	for _, id := range []uint16{filterDeflate, filterShuffle, filterFletcher32, filterSzip, filterNBit, filterScale, filterLZF} {
		if !used[id] {
			t.Errorf("no dataset has filter %d", id)
		}
	}
}
