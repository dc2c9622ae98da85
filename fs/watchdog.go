package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wfs/formats/segment"
	"wfs/formats/source"
)

const (
	// defaultPatience is how long a request may wait for its source: a disk that fails, a
	// server that is gone, another FUSE file system whose daemon hangs.
	defaultPatience = time.Minute
	// lookInterval is how often a request that waits looks after its caller.
	lookInterval = 100 * time.Millisecond
	// maxHung is how many requests of one source may hang after they were answered.
	// Each holds a thread and a buffer.
	maxHung = 16
	// fullPatience is how long a request waits to be one of them: long enough for those
	// that hung to end when their source is back.
	fullPatience = 2 * time.Second
)

var (
	errHung = errors.New("the source does not answer")
	// errGone is the error of a request whose caller was killed, or has ended.
	errGone = errors.New("nobody waits for the answer")
)

// waiting is the requests that were given up, and hang in their source.
type waiting struct {
	patience time.Duration

	mu   sync.Mutex
	hung map[source.Source]int
}

// wait does work, which reads src, until nobody waits for it any more (left), and gives it up when the
// source does not answer. Without that the kernel would soon send nothing for other
// files, because it has no more than maxBackground requests of a mount under way that no
// process waits for (read-ahead); and a reader that is killed could not end, because it
// waits for its answer all the same (fs/fuse/dev.c, request_wait_answer). Work that was
// given up is told so by its context, and goes on until the source answers where that can
// not be interrupted: what it writes to must be its own, and undo takes its outcome back.
// Work that takes long because it reads a great deal says that it is alive.
func wait[T any](w *waiting, src source.Source, left func() bool, work func(context.Context) (T, error), undo func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	began := time.Now()
	var alive atomic.Int64 // when the work last said that it goes on, after began
	ctx, giveUp := context.WithCancelCause(segment.WithAlive(context.Background(), func() { alive.Store(int64(time.Since(began))) }))
	defer giveUp(nil)
	start := func() chan outcome {
		done := make(chan outcome, 1)
		go func() {
			var o outcome
			defer func() {
				if r := recover(); r != nil {
					o.err = panicked(r)
				}
				done <- o
			}()
			o.value, o.err = work(ctx)
		}()
		return done
	}
	var done chan outcome // nil until the source has room for one more
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		if done == nil && !w.full(src) {
			done = start()
		}
		select {
		case o := <-done:
			return o.value, o.err
		case <-look.C:
		}
		var err error
		switch waited := time.Since(began) - time.Duration(alive.Load()); {
		case done == nil && waited > min(fullPatience, w.patience):
			return none, fmt.Errorf("%s: %w: %d requests wait for it", src.Path(), errHung, maxHung)
		case waited > w.patience:
			err = fmt.Errorf("%s: %w for %v", src.Path(), errHung, w.patience)
		case left():
			err = errGone
		default:
			continue
		}
		giveUp(err)
		if done != nil {
			w.add(src, 1)
			go func() {
				if o := <-done; o.err == nil {
					undo(o.value)
				}
				w.add(src, -1)
			}()
		}
		return none, err
	}
}

// full reports whether as many requests hang in a source as may.
func (w *waiting) full(src source.Source) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hung[src] >= maxHung
}

func (w *waiting) add(src source.Source, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hung == nil {
		w.hung = map[source.Source]int{}
	}
	if w.hung[src] += n; w.hung[src] == 0 {
		delete(w.hung, src)
	}
}

// caller is the thread that waits for an answer.
type caller uint32

// left reports whether it has ended or was killed.
func (c caller) left() bool { return gone(uint32(c)) }

// gone reports whether a thread has ended or was killed: SIGKILL is pending for every
// thread of a process that a signal ends, whichever that was (kernel/signal.c,
// complete_signal). An INTERRUPT request alone would say less: any signal makes the
// kernel send one, to a program that has a handler EINTR from a file is news, and in a
// page fault it would be SIGBUS. Threads of other pid namespaces are 0, and unknown.
func gone(thread uint32) bool {
	if thread == 0 {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	for line := range bytes.Lines(status) {
		name, mask, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":\t"))
		if string(name) != "SigPnd" && string(name) != "ShdPnd" {
			continue
		}
		if pending, err := strconv.ParseUint(string(mask), 16, 64); err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}
