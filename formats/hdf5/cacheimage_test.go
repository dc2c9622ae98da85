package hdf5

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// imageAt is the offset of the cache image block in a file.
func imageAt(t testing.TB, b []byte) int {
	t.Helper()
	at := bytes.Index(b, []byte("MDCI"))
	if at < 0 {
		t.Fatal("no image")
	}
	return at
}

// TestCacheImage compares a file whose newest metadata are in its image with what h5py
// reads, and what it has at the old addresses with what it must not read.
func TestCacheImage(t *testing.T) {
	whole := fixture(t, "image.h5")
	text, err := os.ReadFile("testdata/image.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]expectation
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	f := open(t, whole)
	found := map[string]bool{}
	if err := f.Walk(func(path string, obj Object) error {
		found[path] = true
		if u, ok := obj.(*Unreachable); ok {
			t.Errorf("%s: %s", path, u.Reason)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for path, want := range expected {
		if err := matches(f, path, want); err != nil || !found[path] {
			t.Errorf("%s: %t, %v", path, found[path], err)
		}
	}
	if found["removed"] || len(expected) < 6 {
		t.Errorf("%v, want those of %v", found, expected)
	}
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	if attrs, err := root.Attrs(); err != nil || len(attrs) != 1 {
		t.Errorf("%d attributes, %v", len(attrs), err)
	} else if v, err := attrs[0].Value(); v != "after" {
		t.Errorf("attribute %v, %v", v, err)
	}
	obj, err := f.Open("compact")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := obj.(*Dataset).Contiguous(); ok {
		t.Error("compact data that the image holds are said to be a range of the file")
	}
}

// TestCacheImageHostile damages the image: the file is refused, and quickly.
func TestCacheImageHostile(t *testing.T) {
	whole := fixture(t, "image.h5")
	at := imageAt(t, whole)
	length := int(binary.LittleEndian.Uint64(whole[at+6:]))
	for _, c := range []struct {
		name, want string
		edit       func(b []byte)
	}{
		{"checksum", "checksum", func(b []byte) { b[30] ^= 1 }},
		{"signature", "MDCI", func(b []byte) { b[0] = 'X' }},
		{"version", "version 1", func(b []byte) { b[4] = 1 }},
		{"resize status", "flags 0x1", func(b []byte) { b[5] = 1 }},
		{"length", "bytes of", func(b []byte) { b[6]++ }},
		{"no room for so many", "entries in", func(b []byte) { binary.LittleEndian.PutUint32(b[14:], 1<<31) }},
		{"one too many", "cut short", func(b []byte) { b[14]++ }},
		{"one too few", "after its last", func(b []byte) { b[14]-- }},
		{"no size", "an entry of 0 bytes", func(b []byte) { clear(b[18+14+8 : 18+14+16]) }},
		{"a size without end", "cut short", func(b []byte) { binary.LittleEndian.PutUint64(b[18+14+8:], 1<<63) }},
		{"no address", "at address", func(b []byte) { copy(b[18+14:], bytes.Repeat([]byte{255}, 8)) }},
	} {
		b := bytes.Clone(whole)
		c.edit(b[at:])
		if c.name != "checksum" {
			binary.LittleEndian.PutUint32(b[at+length-4:], lookup3(b[at:at+length-4]))
		}
		_, err := Open(bytes.NewReader(b), int64(len(b)), Options{})
		var broken *FormatError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// Two entries for one address: which one is the newest, nobody can tell.
	b := bytes.Clone(whole)
	first := at + 18
	second := first + 14 + 16 + int(binary.LittleEndian.Uint64(b[first+14+8:])) + 8*int(binary.LittleEndian.Uint16(b[first+8:]))
	copy(b[second+14:][:8], b[first+14:][:8])
	binary.LittleEndian.PutUint32(b[at+length-4:], lookup3(b[at:at+length-4]))
	if _, err := Open(bytes.NewReader(b), int64(len(b)), Options{}); err == nil || !strings.Contains(err.Error(), "two entries") {
		t.Errorf("two entries for one address: %v", err)
	}
}

// TestLeftOpen sets the consistency flags of superblocks: version 3 has them, and those
// before do not.
func TestLeftOpen(t *testing.T) {
	for name, want := range map[string]bool{"v110.h5": true, "image.h5": false} {
		b := fixture(t, name)
		if open(t, b).LeftOpen() {
			t.Errorf("%s is open before", name)
		}
		for _, flag := range []byte{1, 4, 5} {
			b := bytes.Clone(b)
			b[11] = flag
			binary.LittleEndian.PutUint32(b[44:], lookup3(b[:44]))
			if got := open(t, b).LeftOpen(); got != want {
				t.Errorf("%s, version %d, flags %d: %t", name, b[8], flag, got)
			}
		}
	}
}

// TestFailUnknown turns an attribute into a message that nobody knows: it is passed over
// unless it says that it must not be.
func TestFailUnknown(t *testing.T) {
	whole := fixture(t, "seed-old.h5")
	f := open(t, whole)
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	msg := root.header.find(messageAttribute)
	if msg == nil {
		t.Fatal("no attribute")
	}
	for _, c := range []struct {
		kind  byte
		flags byte
		ok    bool
	}{{0x19, 0, true}, {0x19, 0x08, true}, {0x19, 0x80, false}, {0x09, 0x80, false}, {0x0d, 0x80, true}, {0xff, 0x88, false}} {
		b := bytes.Clone(whole)
		b[msg.off-8], b[msg.off-4] = c.kind, c.flags
		_, err := open(t, b).Root()
		if (err == nil) != c.ok || !c.ok && !strings.Contains(err.Error(), "must not be ignored") {
			t.Errorf("type %#x with flags %#x: %v", c.kind, c.flags, err)
		}
	}
}
