package hdf5

import (
	"bytes"
	"compress/zlib"
	"math/rand/v2"
	"slices"
	"testing"
)

func zlibOf(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestUnshuffle compares the fast paths with the definition of the filter.
func TestUnshuffle(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for size := 1; size <= 17; size++ {
		for n := range 70 {
			want := make([]byte, n)
			for i := range want {
				want[i] = byte(random.Uint32())
			}
			shuffled := slices.Clone(want)
			count := n / size
			for i := range count {
				for j := range size {
					shuffled[j*count+i] = want[i*size+j]
				}
			}
			got := make([]byte, n)
			unshuffle(got, shuffled, size)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes of elements of %d", n, size)
			}
		}
	}
}

func TestLZF(t *testing.T) {
	for _, c := range []struct {
		src  string
		size int
		want string
	}{
		{"", 0, ""},
		{"\x02abc", 3, "abc"},
		{"\x00a\x20\x00", 4, "aaaa"},                   // a copy of three that overlaps itself
		{"\x02abc\xe0\x03\x02", 15, "abcabcabcabcabc"}, // a long one
		{"\x02abc", 4, "fail"}, {"\x02ab", 3, "fail"},  // too little
		{"\x02abc\x20\x03", 6, "fail"}, {"\x20", 3, "fail"}, // before the start, cut short
		{"\x02abc", 2, "fail"}, {"\xe0", 9, "fail"}, {"\x00a\xe0\x00", 10, "fail"},
	} {
		dst := make([]byte, c.size)
		if ok := unLZF(dst, []byte(c.src)); ok != (c.want != "fail") || ok && string(dst) != c.want {
			t.Errorf("%q: %q, %t, want %q", c.src, dst, ok, c.want)
		}
	}
}

func TestFletcher32(t *testing.T) {
	// Sums that are a multiple of 65535 are 65535, not 0, unless all is zero.
	for _, c := range []struct {
		b    []byte
		want uint32
	}{
		{nil, 0}, {[]byte{0, 0}, 0}, {[]byte{0xff, 0xff}, 0xffffffff}, {[]byte("abcde"), 0x29c52827 + 0},
	} {
		if c.b != nil && c.b[0] == 'a' {
			s1, s2 := uint32(0), uint32(0)
			for _, w := range []uint32{0x6162, 0x6364, 0x6500} {
				s1 = (s1 + w) % 65535
				s2 = (s2 + s1) % 65535
			}
			c.want = s2<<16 | s1
		}
		if got := fletcher32(c.b); got != c.want {
			t.Errorf("%q: %#x, want %#x", c.b, got, c.want)
		}
	}
	long := bytes.Repeat([]byte{0xff}, 1<<20)
	if got := fletcher32(long); got != 0xffffffff {
		t.Errorf("a megabyte of ones: %#x", got)
	}
}
