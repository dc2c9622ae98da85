package fs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"wfs/formats/source"
	"wfs/formats/view"
)

// patience is how long a request may wait for its source: a disk that fails, a server
// that is gone, another FUSE file system whose daemon hangs. It is a variable for the
// sake of tests.
var patience = time.Minute

const (
	// lookInterval is how often the requests that wait are looked at.
	lookInterval = 100 * time.Millisecond
	// maxHung is how many requests of one source may hang after they were answered.
	// Each holds a thread and a buffer.
	maxHung = 16
)

var errHung = errors.New("the source does not answer")

// waiting is a request that reads its source.
type waiting struct {
	file   *view.File
	unique uint64 // the request, to the kernel
	caller uint32 // the thread that asks
	cancel <-chan struct{}
	since  time.Time

	place    int  // in waitings.all; guarded by waitings.mu, as is answered
	answered bool // it was given up
}

// waitings answers requests in place of a source that hangs. Without that, the kernel
// would soon send nothing for other files, because it has no more than maxBackground
// requests of a mount under way that no process waits for (read-ahead); and a reader
// that is killed could not end, because it waits for its answer all the same
// (fs/fuse/dev.c, request_wait_answer).
//
// The work of a request is done where go-fuse called for it: to do it in a goroutine of
// its own, so that it could be left there, costs a read of 4 KiB a seventh more time.
// So go-fuse answers a request that was given up again when its source comes back, and
// the kernel takes that for a request that it does not know (ENOENT).
type waitings struct {
	mu      sync.Mutex
	all     []*waiting
	hung    map[*source.Source]int // how many of all are answered
	looking bool

	patience time.Duration
	device   int // of the kernel's connection, -1 when there is none
	// late logs that a request was given up, and gives its errno.
	late func(*view.File, error) fuse.Status
	// gone is called when the connection has ended, whatever still hangs.
	gone func()
}

// start makes w look after the requests of a device.
func (w *waitings) start(device int, late func(*view.File, error) fuse.Status, gone func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.patience, w.device, w.late, w.gone = patience, device, late, gone
}

// stop closes the device.
func (w *waitings) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.device >= 0 {
		unix.Close(w.device)
		w.device = -1
	}
}

// begin is called before a source is read, and end behind it.
func (w *waitings) begin(f *view.File, header *fuse.InHeader, cancel <-chan struct{}) (*waiting, error) {
	r := &waiting{file: f, unique: header.Unique, caller: header.Pid, cancel: cancel, since: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hung[f.Source] >= maxHung {
		return nil, fmt.Errorf("%s: %w: %d requests wait for it", f.Source.Path, errHung, maxHung)
	}
	r.place = len(w.all)
	w.all = append(w.all, r)
	if !w.looking {
		w.looking = true
		go w.look()
	}
	return r, nil
}

// end says whether the request was given up.
func (w *waitings) end(r *waiting) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.all) - 1
	w.all[last].place = r.place
	w.all[r.place], w.all[last] = w.all[last], nil
	w.all = w.all[:last]
	if r.answered {
		if w.hung[r.file.Source]--; w.hung[r.file.Source] == 0 {
			delete(w.hung, r.file.Source)
		}
	}
	return r.answered
}

// look looks at the requests as long as there are any.
func (w *waitings) look() {
	for more := true; more; {
		time.Sleep(lookInterval)
		var expired, orphaned []*waiting
		expired, orphaned, more = w.sort()
		for _, r := range expired {
			w.refuse(r, w.late(r.file, fmt.Errorf("%s: %w for %v", r.file.Source.Path, errHung, w.patience)))
		}
		for _, r := range orphaned {
			w.refuse(r, fuse.EINTR)
		}
	}
}

// sort picks the requests that are to be given up.
func (w *waitings) sort() (expired, orphaned []*waiting, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.all {
		switch {
		case r.answered:
			continue
		case time.Since(r.since) > w.patience:
			expired = append(expired, r)
		case interrupted(r.cancel) && dying(r.caller):
			orphaned = append(orphaned, r)
		default:
			continue
		}
		r.answered = true
		if w.hung == nil {
			w.hung = map[*source.Source]int{}
		}
		w.hung[r.file.Source]++
	}
	if w.device >= 0 && disconnected(w.device) {
		w.gone()
	}
	w.looking = len(w.all) > 0
	return expired, orphaned, w.looking
}

// refuse answers a request. Where it was answered just now, the kernel says ENOENT.
func (w *waitings) refuse(r *waiting, status fuse.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.device >= 0 {
		refuse(w.device, r.unique, status)
	}
}

// interrupted says whether the kernel has sent an INTERRUPT for a request. That alone
// is no reason to give it up: any signal makes the kernel send one, to a program that
// has a handler EINTR from a file is news, and in a page fault it would be SIGBUS.
func interrupted(cancel <-chan struct{}) bool {
	select {
	case <-cancel:
		return true
	default:
		return false
	}
}

// dying says whether a thread was killed: SIGKILL is pending for every thread of a
// process that a signal ends, whichever that was (kernel/signal.c, complete_signal).
func dying(thread uint32) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return false
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
