package fs

import (
	"math/rand/v2"
	"testing"
)

const mib = 1 << 20

// even is a file of tensors of one size.
func even(size int64) span {
	return func(off int64) (int64, int64, bool) { return off / size * size, off/size*size + size, true }
}

// brought is what a stream has to prefetch, all of it, and how many pages it left out.
func brought(st *streams, s *stream, size int64) (bytes, first, last int64) {
	for {
		begin, end := st.take(s, mib, size)
		if begin >= end {
			return bytes, first, last
		}
		if bytes == 0 {
			first = begin
		}
		bytes, last = bytes+end-begin, end
	}
}

// TestStreamOneTensor reads one tensor of many from its begin: the rest of it comes, and
// nothing of the next.
func TestStreamOneTensor(t *testing.T) {
	st := &streams{certain: 4 * mib, tensor: even(20 * mib)}
	at := int64(40 * mib)
	var s *stream
	for n := int64(0); s == nil; n++ {
		if n == 60 {
			t.Fatal("a reader in order is not followed")
		}
		s = st.ask(at, at+mib/4, 64*mib, n)
		at += mib / 4
	}
	if at > 46*mib {
		t.Errorf("it is followed from %d on", at)
	}
	bytes, first, last := brought(st, s, 1<<30)
	if first < at-pageSize || first > at+st.jump()+pageSize || last != 60*mib || bytes > 60*mib-at {
		t.Errorf("%d bytes from %d to %d, want those from %d to %d", bytes, first, last, at, 60*mib)
	}
}

// TestStreamSteady reads from first to last by whole requests of the kernel's read-ahead.
func TestStreamSteady(t *testing.T) {
	st := &streams{certain: 4 * mib, tensor: even(20 * mib)}
	for at := int64(0); at < 64*mib; at += mib / 2 {
		if st.ask(at, at+mib/2, 64*mib, at) != nil {
			t.Fatalf("the kernel is helped at %d", at)
		}
	}
	for at := int64(64 * mib); ; at += mib / 8 {
		if st.ask(at, at+mib/8, 64*mib, at) != nil {
			return
		}
		if at > 100*mib {
			t.Fatal("a reader whose requests get small is not followed")
		}
	}
}

// TestStreamTensors goes from one tensor to the next: from then on a window is ahead of
// the reader, who is seen at the pages that are left out.
func TestStreamTensors(t *testing.T) {
	st := &streams{certain: 4 * mib, tensor: even(20 * mib)}
	const window, size = 64 * mib, 1 << 30
	var s *stream
	n := int64(0)
	cached := make([]bool, size/pageSize)
	asked := 0
	for page := int64(0); page < size/pageSize; page++ {
		if cached[page] {
			continue
		}
		asked++
		n++
		// The kernel reads around a fault.
		for k := max(page-512, 0); k < min(page+512, size/pageSize); k++ {
			if !cached[k] {
				cached[k] = true
				s = st.ask(k*pageSize, (k+1)*pageSize, window, n)
			}
		}
		for s != nil {
			begin, end := st.take(s, mib, size)
			if begin >= end {
				break
			}
			if end > (page+512)*pageSize+window+mib {
				t.Fatalf("the reader is at %d, and %d is prefetched", page*pageSize, end)
			}
			for k := begin / pageSize; k < (end+pageSize-1)/pageSize; k++ {
				cached[k] = true
			}
		}
	}
	if asked > 2*size/wireGap {
		t.Errorf("%d requests of a reader for %d MiB", asked, size/mib)
	}
}

// TestStreamRandom reads single pages here and there, and what the kernel reads around a
// page that is touched: nothing is followed.
func TestStreamRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, around := range []int64{pageSize, 128 << 10, 4 * mib} {
		st := &streams{certain: 4 * mib, tensor: even(20 * mib)}
		followed := 0
		for i, at := range random.Perm(500) {
			at := int64(at)*16*mib + int64(random.IntN(2048))*pageSize
			for off := at; off < at+around; off += mib / 2 {
				if st.ask(off, min(off+mib/2, at+around), 64*mib, int64(i)) != nil {
					followed++
				}
			}
		}
		if followed > 0 {
			t.Errorf("%d of 500 single reads of %d bytes are followed", followed, around)
		}
	}
}

// TestStreamHalves has two threads that read a half of each tensor: all of it comes, once.
func TestStreamHalves(t *testing.T) {
	const size = 400 * mib
	st := &streams{certain: mib, tensor: even(200 * mib)}
	count := make([]int, size/mib)
	n := int64(0)
	for step := int64(0); step < 100; step++ {
		for _, at := range []int64{step * mib, (100 + step) * mib} {
			n++
			s := st.ask(at, at+mib, 8*mib, n)
			for s != nil {
				begin, end := st.take(s, mib, size)
				if begin >= end {
					break
				}
				count[begin/mib]++
			}
		}
	}
	for i, c := range count[:200] {
		if c > 3 {
			t.Errorf("MiB %d is brought in %d times", i, c)
		}
	}
	for i, c := range count[200:] {
		if c > 0 && i > 8 {
			t.Errorf("MiB %d of a tensor that nobody reads is brought in", i)
		}
	}
	if len(st.all) > 2 {
		t.Errorf("%d streams", len(st.all))
	}
}

// TestStreamUnpacked reads up to a tensor that is unpacked while it is read.
func TestStreamUnpacked(t *testing.T) {
	st := &streams{certain: mib, tensor: func(off int64) (int64, int64, bool) {
		begin, end, _ := even(4 * mib)(off)
		return begin, end, off < 12*mib
	}}
	var s *stream
	for at := int64(0); at < 6*mib; at += mib / 4 {
		s = st.ask(at, at+mib/4, 64*mib, at)
	}
	if s == nil {
		t.Fatal("not followed")
	}
	if _, _, last := brought(st, s, 1<<30); last != 12*mib {
		t.Errorf("prefetched up to %d, want the first byte of what is unpacked", last)
	}
}
