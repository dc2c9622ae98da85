package hdf5

import (
	"bytes"
	"compress/zlib"
	"math/rand/v2"
	"slices"
	"testing"
)

func deflate(t testing.TB, b []byte, level int) []byte {
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

// samples are bytes that compress in different ways.
func samples() [][]byte {
	random := rand.New(rand.NewPCG(1, 1))
	var out [][]byte
	for _, n := range []int{0, 1, 2, 15, 257, 258, 259, 275, 276, 277, 1000, 40000, 300000} {
		for _, alphabet := range []int{1, 2, 3, 17, 256} {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(random.IntN(alphabet) * 3)
				if gap := 1 + random.IntN(300); alphabet > 2 && i > gap && random.IntN(8) == 0 {
					i := i
					for range random.IntN(400) {
						if i >= n {
							break
						}
						b[i] = b[i-gap]
						i++
					}
				}
			}
			out = append(out, b)
		}
	}
	return out
}

func TestInflate(t *testing.T) {
	for i, b := range samples() {
		for _, level := range []int{zlib.NoCompression, zlib.HuffmanOnly, 1, 6, 9} {
			z := deflate(t, b, level)
			got := make([]byte, len(b))
			if !inflate(got, z) || !bytes.Equal(got, b) {
				t.Fatalf("sample %d of %d bytes, level %d", i, len(b), level)
			}
			if inflate(make([]byte, len(b)+1), z) || len(b) > 0 && inflate(got[1:], z) {
				t.Errorf("sample %d: another size passed", i)
			}
			if len(z) > 6 && inflate(got, z[:len(z)-5]) {
				t.Errorf("sample %d: a stream without its end passed", i)
			}
		}
	}
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
