package blocks

// Bounds of what is under way.
const (
	// maxRun is the blocks that one request is for: 4 MiB, which take a connection of
	// 100 MB/s two round trips of 20 ms.
	maxRun = 16
	// maxBusy is the runs of a file that are under way; maxBusyAhead is those of them that
	// nobody waits for.
	maxBusy, maxBusyAhead = 12, 8
)

// want is a block that is in memory, under way or queued; one that is not is queued. The lock is
// held, as it is for the rest here.
func (f *File) want(i int64, now bool) *block {
	b := f.blocks[i]
	if b == nil {
		b = &block{ready: make(chan struct{})}
		data, ok := f.cache.memory.Get(key{f.id, i})
		if ok {
			b.data = data
			close(b.ready)
			return b
		}
		b.queued, b.wanted = true, now
		f.blocks[i] = b
		if now {
			f.wanted = append(f.wanted, i)
		} else {
			f.later = append(f.later, i)
			f.ahead++
		}
		return b
	}
	if now && !b.wanted {
		b.wanted = true
		f.ahead--
		if b.queued {
			f.wanted = append(f.wanted, i)
		}
	}
	return b
}

// run is neighbours that are fetched together.
type run struct {
	first int64
	list  []*block
}

// dispatch starts runs of what is queued.
func (f *File) dispatch() {
	for f.ctx.Err() == nil {
		i, ok := f.next(&f.wanted, maxBusy)
		if !ok {
			if i, ok = f.next(&f.later, maxBusyAhead); !ok {
				return
			}
		}
		f.busy++
		f.runs.Add(1) // never after Close: the context is looked at under the lock
		go f.fly(f.cut(i))
	}
}

// next is a queued block of a list, where fewer runs than limit are under way.
func (f *File) next(list *[]int64, limit int) (int64, bool) {
	for len(*list) > 0 && f.busy < limit {
		i := (*list)[0]
		*list = (*list)[1:]
		if b := f.blocks[i]; b != nil && b.queued {
			return i, true
		}
	}
	return 0, false
}

// cut takes a block and its neighbours off the queue.
func (f *File) cut(i int64) run {
	queued := func(i int64) bool { b := f.blocks[i]; return b != nil && b.queued }
	first, end := i, i+1
	for end-first < maxRun && queued(end) {
		end++
	}
	for end-first < maxRun && queued(first-1) {
		first--
	}
	r := run{first: first}
	for k := first; k < end; k++ {
		b := f.blocks[k]
		b.queued = false
		r.list = append(r.list, b)
	}
	return r
}

// landed ends a run, whose blocks have come or failed.
func (f *File) landed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
	f.dispatch()
	f.runs.Done()
}

// settle gives a block what it waits for.
func (f *File) settle(b *block, data []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.data, b.err = data, err
	if !b.wanted {
		b.wanted = true
		f.ahead--
	}
	close(b.ready)
}

// forget ends what is known of a block that failed, or is in the cache.
func (f *File) forget(i int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.blocks, i)
}
