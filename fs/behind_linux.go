package fs

import (
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// What was read is in memory twice: as pages of the source and as pages of the view. Where
// both do not fit, the kernel would throw out what is needed still, so the pages of the source are
// dropped when they have been read. Elsewhere they stay: to drop pages and to get them
// again costs up to 0.8 of the time of a load. What was in memory before the mount read it is
// somebody else's, and stays too.

const (
	// behindChunk is what is dropped at once.
	behindChunk = 4 << 20
	// behindLag is how many chunks are read before the first of them is dropped: threads
	// of a reader are at several places.
	behindLag = 16
	// maxChunks bounds what is known of the sources of a mount: 256 GiB of them.
	maxChunks = 64 << 10
)

// chunk is a part of a source, by its number.
type chunk struct {
	src    *source.Local
	number int64
}

// behind drops what was read of the sources.
type behind struct {
	mu     sync.Mutex
	chunks map[chunk]*chunkState
	read   []chunk // those to be dropped, in their order
}

// chunkState is what is known of a chunk.
type chunkState struct {
	others bool // it was in memory before
	read   bool
}

// reading wraps a way to read with a look at which parts of which sources it comes to.
func (b *behind) reading(read segment.ReadFunc) segment.ReadFunc {
	var looking segment.ReadFunc
	looking = func(r io.ReaderAt, p []byte, off int64) (int, error) {
		switch r := r.(type) {
		case *source.Local:
			b.comes(r, off, int64(len(p)))
		case segment.Composite:
			return r.ReadWith(looking, p, off)
		}
		return read(r, p, off)
	}
	return looking
}

// comes tells of a read before it happens. What comes after it is looked at too, before the
// kernel reads ahead.
func (b *behind) comes(src *source.Local, off, n int64) {
	const lookahead = 3
	last := (off + n - 1) / behindChunk
	for number := off / behindChunk; number <= last+lookahead && number*behindChunk < src.Size(); number++ {
		c := chunk{src, number}
		state := b.state(c)
		if number > last {
			continue
		}
		b.mu.Lock()
		if !state.read && !state.others {
			state.read = true
			if b.read = append(b.read, c); len(b.read) > behindLag {
				first := b.read[0]
				b.read = append(b.read[:0], b.read[1:]...)
				delete(b.chunks, first) // if it is read again, it is looked at again
				go first.drop()
			}
		}
		b.mu.Unlock()
	}
}

// state is what is known of a chunk; the first time, the kernel is asked.
func (b *behind) state(c chunk) *chunkState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.chunks[c]; s != nil {
		return s
	}
	if b.chunks == nil || len(b.chunks) >= maxChunks {
		b.chunks, b.read = map[chunk]*chunkState{}, nil
	}
	s := &chunkState{others: c.isCached()}
	b.chunks[c] = s
	return s
}

// isCached reports whether a quarter of a chunk or more is in memory. Where nobody can tell
// (before Linux 6.5), it is taken to be so.
func (c chunk) isCached() bool {
	var there unix.Cachestat_t
	want := unix.CachestatRange{Off: uint64(c.number * behindChunk), Len: behindChunk}
	err := unix.Cachestat(uint(c.src.File().Fd()), &want, &there, 0)
	return err != nil || there.Cache >= behindChunk/pageSize/4
}

// finish drops what is left when nobody reads any more.
func (b *behind) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.read {
		go c.drop()
	}
	b.chunks, b.read = nil, nil
}

// drop tells the kernel that a chunk is not needed. What a process has mapped stays
// (mm/truncate.c, invalidate_mapping_pages).
func (c chunk) drop() {
	unix.Fadvise(int(c.src.File().Fd()), c.number*behindChunk, behindChunk, unix.FADV_DONTNEED)
}
