package segment

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// TestComputed reads units of three bytes at every offset and length.
func TestComputed(t *testing.T) {
	src := Literal("abcdefgh")
	made := 0
	c := &Computed{N: 8, Unit: 3, Make: func(read ReadFunc, dst []byte, first int64) error {
		if len(dst) == 0 || len(dst)%3 != 0 {
			t.Fatalf("%d bytes are wanted of units of 3", len(dst))
		}
		made += len(dst) / 3
		in := make([]byte, len(dst)/3)
		if err := Fill(read, src, in, first); err != nil {
			return err
		}
		for i, b := range in {
			copy(dst[3*i:], []byte{b, b - 32, '.'})
		}
		return nil
	}}
	want := []byte("aA.bB.cC.dD.eE.fF.gG.hH.")
	for off := range int64(len(want)) + 1 {
		for n := range len(want) + 2 {
			p := bytes.Repeat([]byte{'?'}, n)
			made = 0
			k, err := c.ReadAt(p, off)
			end := min(int(off)+n, len(want))
			if k != end-int(off) || !bytes.Equal(p[:k], want[off:end]) {
				t.Fatalf("%d bytes at %d: %q, %v", n, off, p[:k], err)
			}
			if atEnd := int(off)+n > len(want) || int(off) == len(want); atEnd != (err == io.EOF) || err != nil && err != io.EOF {
				t.Fatalf("%d bytes at %d: %v", n, off, err)
			}
			if most := n/3 + 2; made > most {
				t.Errorf("%d bytes at %d: %d units were made", n, off, made)
			}
		}
	}
	if _, err := c.ReadWith(ReadCached, make([]byte, 4), 1); err != nil {
		t.Errorf("what is in memory: %v", err)
	}
	gone := errors.New("gone")
	c.Make = func(ReadFunc, []byte, int64) error { return gone }
	if _, err := c.ReadAt(make([]byte, 9), 1); err != gone {
		t.Errorf("an error of Make became %v", err)
	}
}
