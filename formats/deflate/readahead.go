package deflate

import (
	"sync"

	"wfs/formats/internal/sequential"
)

// window is how much is decoded ahead.
const window = 2 << 20

// ahead is how far a sequential reader of a stream has come. A stream is decoded in order,
// so it has one goroutine: the reader takes what was decoded while it did something else,
// and readers of several streams use as many processors.
type ahead struct {
	mu      sync.Mutex
	reader  sequential.Reader
	until   int64 // what is to be decoded
	working bool
}

// readAhead notes a request, and has the blocks after it decoded if it goes on where others ended.
func (s *Stream) readAhead(off, n int64) {
	a := &s.ahead
	if cap(s.cache.ahead) < 2 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	moved, ready := a.reader.Ask(off, n)
	if moved {
		a.until = 0
	}
	if !ready {
		return
	}
	a.until = min(a.reader.Next()+window, s.size)
	if a.working || a.reader.Next() >= a.until {
		return
	}
	select {
	case s.cache.ahead <- struct{}{}:
		a.working = true
		go s.decodeAhead()
	default:
	}
}

// decodeAhead decodes one block after the other. Its errors are left to the reader, who will
// meet them.
func (s *Stream) decodeAhead() {
	a := &s.ahead
	defer func() {
		if recover() != nil { // a bug, which the reader will meet too: nobody is there to answer for it here
			s.mu.Lock()
			s.decoder = nil
			s.mu.Unlock()
		}
		a.mu.Lock()
		a.working = false
		a.mu.Unlock()
		<-s.cache.ahead
	}()
	index := int64(-1)
	for {
		a.mu.Lock()
		index = max(index+1, a.reader.Next()/blockSize)
		more := index*blockSize < a.until
		a.mu.Unlock()
		if !more {
			return
		}
		if _, err := s.block(index); err != nil {
			return
		}
	}
}
