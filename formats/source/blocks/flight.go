package blocks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"wfs/formats/source"
)

// Pauses between the requests for one run: chosen at random up to a bound that doubles, so that
// many readers whose server comes back do not come back to it all at once.
const (
	leastPause = 200 * time.Millisecond
	mostPause  = 10 * time.Second
)

// Pause is the time before the next request, after so many that have failed.
func Pause(attempt int) time.Duration { return rand.N(min(leastPause<<min(attempt, 10), mostPause)) }

// errStalled ends a request that brings nothing.
var errStalled = errors.New("no answer")

// fly brings a run: from the disk what is there, the rest from afar.
func (f *File) fly(r run) {
	defer f.landed()
	missing := run{}
	for k, b := range r.list {
		i := r.first + int64(k)
		data, ok := f.cache.load(key{f.id, i}, f.blockLen(i))
		if !ok {
			if len(missing.list) == 0 {
				missing.first = i
			}
			missing.list = append(missing.list, b)
			continue
		}
		f.settle(b, data, nil)
		f.cache.memory.Put(key{f.id, i}, data)
		f.forget(i)
		f.arrived.Add(int64(len(data)))
		f.fetch(missing)
		missing = run{}
	}
	f.fetch(missing)
}

// fetch brings a run from afar. A block that cannot be had fails, and those after it do.
func (f *File) fetch(r run) {
	if len(r.list) == 0 {
		return
	}
	g := &landing{File: f, run: r}
	if err := g.all(); err != nil {
		err = fmt.Errorf("%s: %w", f.pin.Path, err)
		if errors.Is(err, source.ErrStale) {
			f.fault.CompareAndSwap(nil, &err)
		}
		for ; g.next < len(r.list); g.next++ {
			f.forget(r.first + int64(g.next))
			f.settle(r.list[g.next], nil, err)
		}
	}
}

// landing is a run of which a part has come.
type landing struct {
	*File
	run
	next   int    // the block that comes
	data   []byte // of it
	filled int
	quiet  time.Time // since nothing has come
}

// all makes requests until all blocks are there.
func (g *landing) all() error {
	g.quiet = time.Now()
	for attempt := 0; ; attempt++ {
		before := g.quiet
		err := g.request()
		if err == nil {
			return nil
		}
		var again *Temporary
		if g.ctx.Err() != nil {
			return errClosed
		}
		if !errors.As(err, &again) || errors.Is(err, source.ErrStale) {
			return err
		}
		if g.quiet != before {
			attempt = 0
		}
		pause := again.After + Pause(attempt)
		if time.Since(g.quiet)+pause > g.patience.Timeout {
			if again.After > g.patience.Timeout {
				return fmt.Errorf("%w: the server wants to be left alone for %v", err, again.After)
			}
			return fmt.Errorf("%w; nothing has come for %v", err, g.patience.Timeout)
		}
		select {
		case <-time.After(pause):
		case <-g.ctx.Done():
			return errClosed
		}
	}
}

// request makes one request for what is missing.
func (g *landing) request() error {
	select {
	case g.cache.slots <- struct{}{}:
		defer func() { <-g.cache.slots }()
	case <-g.ctx.Done():
		return errClosed
	}
	ctx, cancel := context.WithCancelCause(g.ctx)
	defer cancel(nil)
	stall := time.AfterFunc(g.patience.Stall, func() { cancel(errStalled) })
	defer stall.Stop()
	i := g.first + int64(g.next)
	off := i*Size + int64(g.filled)
	end := (g.first+int64(len(g.list)))*Size - off
	g.cache.requests.Add(1)
	body, err := g.remote.Get(ctx, off, min(end, g.pin.Size-off))
	if err != nil {
		return stalled(ctx, err)
	}
	defer body.Close()
	for g.next < len(g.list) {
		i := g.first + int64(g.next)
		if g.data == nil {
			g.data, g.filled = make([]byte, g.blockLen(i)), 0
		}
		for g.filled < len(g.data) {
			n, err := body.Read(g.data[g.filled:])
			if n > 0 {
				stall.Reset(g.patience.Stall)
				g.quiet = time.Now()
				g.filled += n
				g.arrived.Add(int64(n))
				g.cache.fetched.Add(int64(n))
			} else if err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				if errors.Is(err, source.ErrStale) {
					return err
				}
				return stalled(ctx, &Temporary{Err: fmt.Errorf("the connection was cut: %w", err)})
			}
		}
		data := g.data
		g.settle(g.list[g.next], data, nil)
		g.data, g.filled = nil, 0
		g.next++
		// Who asks meanwhile has it from its reader.
		g.cache.memory.Put(key{g.id, i}, data)
		g.cache.store(key{g.id, i}, data)
		g.forget(i)
	}
	return nil
}

// stalled is err, or that the request was ended because it brought nothing.
func stalled(ctx context.Context, err error) error {
	if context.Cause(ctx) == errStalled {
		return &Temporary{Err: errStalled}
	}
	return err
}
