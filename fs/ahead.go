package fs

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// The prefetch fills the page cache ahead of whoever reads tensors one after the other:
// faults of several threads in one mapping thrash the read-ahead of the kernel, which has
// one state for an open file.
//
// It asks the kernel to (POSIX_FADV_WILLNEED), which then sends reads as it does for any
// other read-ahead: what is in memory, or on its way, is not read again, and what is read
// is verified. FUSE_NOTIFY_STORE was no faster in a prototype and has a flaw: it waits for pages that the
// kernel has locked for a read of its own. A daemon that is killed then waits in the
// kernel for an answer of its own, holds its connection open, and can neither end nor be
// replaced (fs/fuse/dev.c, fuse_notify_store).
//
// A source that is far away is asked itself, for what a tensor is read from: it knows how to
// have much under way, and what it has in memory is given out as fast as a page cache is filled.

const (
	// aheadWindow bounds what is prefetched and not asked for yet, of all files of a mount.
	aheadWindow = 64 << 20
	// leastWindow is the least of it that a stream gets.
	leastWindow = 4 << 20
	// leastRoom is the memory below which nothing is prefetched.
	leastRoom = 32 << 20
	// A thread asks for a piece at a time, and has some of them under way when it waits for
	// the first. Where the source is in memory these are many: a reader that is as fast then
	// meets pages that are on their way, and does not begin to read ahead by itself (2 MiB
	// under way instead of 16 take 1.15 of the time). A disk is not asked at many places at
	// once: there 16 MiB under way instead of 2 take 1.3 of the time.
	cachedPiece, cachedDepth = 4 << 20, 4
	devicePiece, deviceDepth = 2 << 20, 1
	// maxAheadThreads bounds the threads; on most machines it is the number of processors.
	maxAheadThreads = 4
)

// ahead is the prefetch of a mount. It is off until start and after stop.
type ahead struct {
	log        *slog.Logger
	mountpoint string
	device     uint64
	step       int64 // how far one advice of the kernel goes
	certain    int64 // what streams need to be followed
	memory     *memory
	deviceLeft atomic.Int64 // reads of memory until a read of a device counts no more

	mu      sync.Mutex // never held while anything is read
	wake    *sync.Cond // of the threads
	on      bool
	busy    []*following
	now     int64           // number of requests
	started int             // threads
	own     map[uint32]bool // the threads by their number in requests
}

// tensorsOf tells where the tensors of a file lie: one after the other in a view, the first of
// them with the header. It is nil for what is unpacked or gathered while it is read, by code
// that reads ahead itself.
func tensorsOf(d segment.Data) span {
	if list, ok := d.(*segment.List); ok {
		return func(off int64) (begin, end int64, straight bool) {
			part, begin := list.Part(off)
			if header, ok := part.(segment.Literal); ok && begin == 0 {
				part, _ = list.Part(header.Size())
				return 0, header.Size() + part.Size(), isStraight(part)
			}
			return begin, begin + part.Size(), isStraight(part)
		}
	}
	if !isStraight(d) {
		return nil
	}
	return func(int64) (int64, int64, bool) { return 0, d.Size(), true }
}

// isStraight reports whether to read at one place costs no more for where was read before.
func isStraight(d io.ReaderAt) bool {
	switch d := d.(type) {
	case source.Source, segment.Literal, segment.Distant:
		return true
	case *segment.Range:
		return isStraight(d.Src)
	case *segment.Elementwise:
		return isStraight(d.From)
	}
	return false
}

// following is a stream with something to prefetch.
type following struct {
	open *openFile
	*stream
}

// few is what a reader gets that reads here and there, in as large pieces as that.
const few = 1 << 20

// start begins when the mount is there. readAhead is the kernel's own for it.
func (a *ahead) start(mountpoint string, device uint64, readAhead int64, memory *memory, log *slog.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mountpoint, a.device, a.memory, a.log = mountpoint, device, memory, log
	a.step, a.certain = readAhead, max(readAhead, few)
	a.wake = sync.NewCond(&a.mu)
	a.own = map[uint32]bool{}
	a.on = true
}

// stop ends the threads. Those that wait in the kernel end with the mount.
func (a *ahead) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.on {
		a.on, a.busy = false, nil
		a.wake.Broadcast()
	}
}

// deviceReads is how many reads of memory it takes after one of a device until that counts no
// more: the kernel reads ahead in the source, too.
const deviceReads = 64

// answered tells of an answer to the prefetch, and whether it took more than memory.
func (a *ahead) answered(waited bool) {
	if waited {
		a.deviceLeft.Store(deviceReads)
	} else if a.deviceLeft.Load() > 0 {
		a.deviceLeft.Add(-1)
	}
}

// fromDevice reports whether the sources are not in memory.
func (a *ahead) fromDevice() bool { return a.deviceLeft.Load() > 0 }

// isOwn reports whether a request is of one of the threads.
func (a *ahead) isOwn(thread uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own[thread]
}

// asked tells of a request of a reader. It takes no time to speak of, and starts nothing
// that the request has to wait for.
func (a *ahead) asked(o *openFile, off, n int64) {
	if o.tensors == nil || n == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on {
		return
	}
	if o.streams == nil {
		o.streams = &streams{certain: a.certain, tensor: o.tensors, distant: o.distant}
	}
	a.now++
	s := o.streams.ask(off, off+n, a.window(), a.now)
	if s == nil {
		return
	}
	for _, f := range a.busy {
		if f.stream == s {
			return
		}
	}
	a.busy = append(a.busy, &following{o, s})
	a.wake.Signal()
	for ; a.started < min(runtime.NumCPU(), maxAheadThreads); a.started++ {
		go a.work()
	}
}

// window is what each of the streams that are followed now may be ahead.
func (a *ahead) window() int64 {
	return max(aheadWindow/int64(len(a.busy)+1), leastWindow)
}

// left tells that nobody has a file open any more.
func (a *ahead) left(o *openFile) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o.streams = nil
	a.forget(func(f *following) bool { return f.open == o })
}

// forget ends what is followed. The lock is held.
func (a *ahead) forget(which func(*following) bool) {
	kept := a.busy[:0]
	for _, f := range a.busy {
		if !which(f) {
			kept = append(kept, f)
		}
	}
	clear(a.busy[len(kept):])
	a.busy = kept
}

// piece is some bytes of a file that are to be brought in.
type piece struct {
	following
	begin, end int64
}

// take is the next piece, of the streams in turn. Without one it waits, or reports that
// there is none.
func (a *ahead) take(wait bool) (piece, bool) {
	pieceSize := int64(cachedPiece)
	if a.fromDevice() {
		pieceSize = devicePiece
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.on {
		for len(a.busy) > 0 {
			f := a.busy[0]
			copy(a.busy, a.busy[1:])
			a.busy[len(a.busy)-1] = f
			if begin, end := f.open.streams.take(f.stream, pieceSize, f.open.file.Size()); begin < end {
				return piece{*f, begin, end}, true
			}
			a.forget(func(g *following) bool { return g == f })
		}
		if !wait {
			break
		}
		a.wake.Wait()
	}
	return piece{}, false
}

// work is a thread of the prefetch.
func (a *ahead) work() {
	thread, err := detach()
	if err == errMainThread {
		// It stays locked, and so is not the one that the next try gets.
		done := make(chan struct{})
		go func() { defer close(done); a.work() }()
		<-done
		return
	}
	if err != nil { // a sandbox does not let us
		a.log.Debug("no prefetch", "error", err)
		a.stop()
		return
	}
	a.mu.Lock()
	a.own[thread] = true
	a.mu.Unlock()
	files := ownFiles{mountpoint: a.mountpoint, device: a.device}
	defer files.close()
	var under []piece // under way
	for {
		p, ok := a.take(false)
		if !ok {
			files.close() // the mount would be busy
			if p, ok = a.take(true); !ok {
				return
			}
			under = nil
		}
		depth := cachedDepth
		if a.fromDevice() {
			depth = deviceDepth
		}
		var first piece
		if n := len(under); n >= depth {
			first, under = under[n-depth], under[n-depth+1:]
		}
		err := a.bring(&files, p, first)
		under = append(under, p)
		if errors.Is(err, errElsewhere) {
			a.log.Debug("no more prefetch", "error", err)
			a.stop()
		} else if err != nil {
			a.log.Debug("prefetch ends", "inode", p.open.file.Ino, "error", err)
			a.mu.Lock()
			a.forget(func(f *following) bool { return f.stream == p.stream })
			a.mu.Unlock()
		}
	}
}

var errNoRoom = errors.New("memory is short")

// bring has the kernel read a piece, and returns when an earlier one is there.
func (a *ahead) bring(files *ownFiles, p, earlier piece) error {
	if room := a.memory.room(); room < leastRoom || p.end-p.hi > room/4 {
		return errNoRoom
	}
	if p.open.distant && segment.Prefetch(p.open.content.data, p.begin, p.end-p.begin) {
		if earlier.open != p.open {
			return nil
		}
		_, err := p.open.content.data.ReadAt(make([]byte, 1), earlier.end-1)
		return err
	}
	fd, err := files.open(p.open)
	if err != nil {
		return err
	}
	for at := p.begin; at < p.end; at += a.step {
		if err := unix.Fadvise(fd, at, min(a.step, p.end-at), unix.FADV_WILLNEED); err != nil {
			return err
		}
	}
	if earlier.open != p.open {
		return nil
	}
	// To wait for its last byte keeps the queue short, and tells of sources that fail.
	_, err = unix.Pread(fd, make([]byte, 1), earlier.end-1)
	return err
}
