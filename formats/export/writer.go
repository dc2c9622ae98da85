package export

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long an interrupted writer waits for its workers: a read of a source that
// hangs does not end.
const patience = 2 * time.Second

// workers is how many chunks are copied at once. Files on a disk that is read for the first
// time need a few even on one processor, and each has a buffer.
func workers() int { return min(max(4, runtime.GOMAXPROCS(0)), 16) }

// job is what a worker does with its buffer.
type job func(ctx context.Context, buf []byte) error

// pool is workers that do jobs until one fails.
type pool struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	jobs   chan job
	group  sync.WaitGroup
}

func newPool(ctx context.Context) *pool {
	p := &pool{jobs: make(chan job)}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	for range workers() {
		p.group.Go(func() {
			buf := make([]byte, 2*pieceSize)
			for do := range p.jobs {
				if p.ctx.Err() != nil {
					continue
				}
				if err := do(p.ctx, buf); err != nil {
					p.cancel(err)
				}
			}
		})
	}
	return p
}

// do queues a job. It reports false once there is no point in more.
func (p *pool) do(j job) bool {
	select {
	case p.jobs <- j:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// wait ends the pool after the last job, and returns the first error.
func (p *pool) wait() error {
	close(p.jobs)
	done := make(chan struct{})
	go func() { p.group.Wait(); close(done) }()
	select {
	case <-done:
	case <-p.ctx.Done():
		select {
		case <-done:
		case <-time.After(patience):
		}
	}
	err := context.Cause(p.ctx)
	p.cancel(nil)
	return err
}

// writer writes files. What a file needs at its end is done by the worker that wrote the
// last chunk of it.
type writer struct {
	*pool
	opt Options
	// late are files that are too small to be brought to the device one by one: where there
	// are many of them, whoever has the writer does it at once.
	late bool
}

// target is a file that is being written.
type target struct {
	file   *os.File
	source File
	shared *sharing
	left   atomic.Int64 // chunks
}

// small is the most bytes of a file that is late.
const small = 1 << 20

// create makes a file and queues its chunks. What goes wrong is for wait to say.
func (w *writer) create(name string, f File) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		w.cancel(err)
		return
	}
	size := f.Size()
	t := &target{file: file, source: f, shared: newSharing(file)}
	done, err := t.shared.whole(file, f, size)
	if err == nil && !done {
		err = file.Truncate(size)
	}
	if err != nil {
		file.Close()
		w.cancel(err)
		return
	}
	if done {
		w.opt.progress(size)
		size = 0
	}
	count := max(1, (size+chunkSize-1)/chunkSize)
	t.left.Store(count)
	for i := range count {
		c := chunk{t, i * chunkSize, min(chunkSize, size-i*chunkSize)}
		if !w.do(func(ctx context.Context, buf []byte) error {
			err := c.copy(ctx, buf[:pieceSize], w.opt)
			if t.left.Add(-1) == 0 && err == nil {
				err = w.finish(t)
			}
			return err
		}) {
			return // an open file is closed with the process, which ends for this error
		}
	}
}

// finish brings a file to the device and closes it.
func (w *writer) finish(t *target) error {
	var err error
	if !w.opt.NoSync && !(w.late && t.source.Size() < small) {
		err = syncFile(t.file)
	}
	if lost := t.file.Close(); err == nil {
		err = lost
	}
	if err == nil && !t.source.ModTime.IsZero() {
		err = os.Chtimes(t.file.Name(), time.Time{}, t.source.ModTime)
	}
	return err
}
