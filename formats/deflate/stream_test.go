package deflate

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func compress(t testing.TB, level int, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte, size int) *Stream {
	return New(nil, bytes.NewReader(b), int64(len(b)), int64(size))
}

// samples are data of every kind that makes an encoder choose differently.
func samples() map[string][]byte {
	rng := rand.New(rand.NewPCG(3, 4))
	fill := func(n int, f func(i int) byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = f(i)
		}
		return b
	}
	return map[string][]byte{
		"empty":  nil,
		"byte":   {7},
		"zeros":  make([]byte, 3_000_000),
		"random": fill(2_000_003, func(int) byte { return byte(rng.Uint32()) }),
		"floats": fill(3_000_001, func(i int) byte {
			if i%4 == 3 {
				return 0x3f + byte(rng.Uint32()&1)
			}
			return byte(rng.NormFloat64() * 20)
		}),
		"text":  []byte(strings.Repeat("the weights of a model, as files; ", 70_000)),
		"steps": fill(1_500_000, func(i int) byte { return byte(i >> 9) }),
		"mixed": fill(4_000_000, func(i int) byte {
			if i>>17&1 == 0 {
				return byte(rng.Uint32())
			}
			return byte(i & 3)
		}),
	}
}

func TestReadsAtEveryOffset(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for name, data := range samples() {
		for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
			s := open(compress(t, level, data), len(data))
			whole, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
			if err != nil || !bytes.Equal(whole, data) {
				t.Fatalf("%s, level %d: %v, equal %v", name, level, err, bytes.Equal(whole, data))
			}
			if want := len(data) > 1<<20; (len(s.points) > 0) != want {
				t.Errorf("%s: %d points in %d bytes", name, len(s.points), len(data))
			}
			for round := range 40 {
				if round == 20 { // what is cached does not hide what points give
					s = &Stream{cache: NewCache(), src: s.src, compressed: s.compressed, size: s.size, points: s.points}
				}
				off, p := rng.IntN(len(data)+10), make([]byte, rng.IntN(600_000))
				n, err := s.ReadAt(p, int64(off))
				want := data[min(off, len(data)):min(off+len(p), len(data))]
				if !bytes.Equal(p[:n], want) || n < len(p) && err != io.EOF {
					t.Fatalf("%s, level %d: %d bytes at %d: %d, %v", name, level, len(p), off, n, err)
				}
			}
		}
	}
}

// matches are bytes whose repetitions are long and short, near and far, up to the ends.
func matches() [][]byte {
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

func TestZlib(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	all := samples()
	for i, data := range matches() {
		all[fmt.Sprintf("matches %d", i)] = data
	}
	for name, data := range all {
		for _, level := range []int{zlib.NoCompression, zlib.HuffmanOnly, zlib.BestSpeed, zlib.BestCompression} {
			var b bytes.Buffer
			w, err := zlib.NewWriterLevel(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(data)
			w.Close()
			z, got := b.Bytes(), make([]byte, len(data))
			if err := Zlib(got, z); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s, level %d: %v", name, level, err)
			}
			if Zlib(make([]byte, len(data)+1), z) == nil || len(data) > 0 && Zlib(got[1:], z) == nil {
				t.Errorf("%s: another size passed", name)
			}
			for _, cut := range []int{1, 4, 5} {
				if Zlib(got, z[:len(z)-cut]) == nil {
					t.Errorf("%s: a stream without its last %d bytes passed", name, cut)
				}
			}
			for _, at := range []int{0, 1, len(z) - 1, len(z) - 4} {
				wrong := bytes.Clone(z)
				wrong[at] ^= 0x10
				if Zlib(got, wrong) == nil {
					t.Errorf("%s: damage to byte %d of %d passed", name, at, len(z))
				}
			}
		}
	}
}

// TestParallel reads one stream from many places at once: memory stays bounded, and the
// bytes are right.
func TestParallel(t *testing.T) {
	data := samples()["floats"]
	s := open(compress(t, flate.BestSpeed, data), len(data))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 0))
			p := make([]byte, 50_000)
			for range 50 {
				off := rng.IntN(len(data) - len(p))
				if _, err := s.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, data[off:off+len(p)]) {
					t.Errorf("at %d: %v, or other bytes", off, err)
				}
			}
		})
	}
	group.Wait()
	if held := s.cache.decoded.Held(); held > cacheSize {
		t.Errorf("%d bytes are cached", held)
	}
}

// TestIdle has more streams at work than may keep a decoder.
func TestIdle(t *testing.T) {
	data := samples()["text"]
	b := compress(t, flate.BestSpeed, data)
	var streams []*Stream
	cache := NewCache()
	for range 3 * maxIdle {
		streams = append(streams, New(cache, bytes.NewReader(b), int64(len(b)), int64(len(data))))
	}
	p := make([]byte, 1000)
	for off := int64(0); off < int64(len(data)-len(p)); off += 300_000 {
		for _, s := range streams {
			if _, err := s.ReadAt(p, off); err != nil || !bytes.Equal(p, data[off:off+1000]) {
				t.Fatalf("at %d: %v", off, err)
			}
		}
	}
	kept := 0
	for _, s := range streams {
		if s.decoder != nil {
			kept++
		}
	}
	if kept > maxIdle || kept == 0 {
		t.Errorf("%d streams keep a decoder, %d may", kept, maxIdle)
	}
}

func TestDamaged(t *testing.T) {
	data := samples()["text"]
	good := compress(t, flate.BestSpeed, data)
	read := func(b []byte, size int) error {
		_, err := io.Copy(io.Discard, io.NewSectionReader(open(b, size), 0, int64(size)))
		return err
	}
	for name, err := range map[string]error{
		"truncated":     read(good[:len(good)/2], len(data)),
		"size too high": read(good, len(data)+1),
		"size too low":  read(good, len(data)-1),
		"no stream":     read(nil, 10),
		"block type 3":  read([]byte{0x07, 0, 0, 0}, 10),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A source that fails once is read again.
	flaky := &failing{ReaderAt: bytes.NewReader(good), fail: true}
	s := New(nil, flaky, int64(len(good)), int64(len(data)))
	p := make([]byte, 100)
	if _, err := s.ReadAt(p, 5); !errors.Is(err, errFailed) {
		t.Errorf("a failing source: %v", err)
	}
	flaky.fail = false
	if _, err := s.ReadAt(p, 5); err != nil || !bytes.Equal(p, data[5:105]) {
		t.Errorf("after the failure: %v", err)
	}
}

var errFailed = errors.New("failed")

type failing struct {
	io.ReaderAt
	fail bool
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.fail {
		return 0, errFailed
	}
	return f.ReaderAt.ReadAt(p, off)
}

// FuzzStream compares with the standard library: the same bytes, or an error from both.
func FuzzStream(f *testing.F) {
	for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestSpeed, flate.BestCompression} {
		f.Add(compress(f, level, []byte("a tensor, a tensor, and another tensor")))
		f.Add(compress(f, level, bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, 300)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 1 << 16
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), most+1))
		if len(want) > most {
			return
		}
		got := make([]byte, len(want))
		n, ours := open(b, len(want)).ReadAt(got, 0)
		if err == nil && (ours != nil || !bytes.Equal(got[:n], want)) {
			t.Fatalf("%d of %d bytes, %v", n, len(want), ours)
		}
		// Damage past the last byte does not show, because nothing asks for more.
		if err != nil && len(want) > 0 && ours == nil && !bytes.Equal(got[:n], want) {
			t.Fatalf("other bytes than before %v", err)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	for name, data := range samples() {
		if len(data) < 1<<20 {
			continue
		}
		z := compress(b, flate.BestSpeed, data)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				io.Copy(io.Discard, io.NewSectionReader(open(z, len(data)), 0, int64(len(data))))
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				io.Copy(io.Discard, flate.NewReader(bytes.NewReader(z)))
			}
		})
	}
}
