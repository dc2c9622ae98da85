package export

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"wfs/formats/segment"
)

// compare queues the comparison of a file that was written with what it was to be. It is
// read from the device, as far as the system lets go of what it has in memory.
func (p *pool) compare(name string, f File, opt Options) {
	written, err := os.Open(name)
	if err != nil {
		p.cancel(err)
		return
	}
	dropCache(written)
	size := f.Size()
	info, err := written.Stat()
	if err == nil && info.Size() != size {
		err = &os.PathError{Op: "verify", Path: name, Err: errDiffers(min(size, info.Size()))}
	}
	if err != nil {
		written.Close()
		p.cancel(err)
		return
	}
	var left atomic.Int64
	count := max(1, (size+chunkSize-1)/chunkSize)
	left.Store(count)
	for i := range count {
		off, end := i*chunkSize, min((i+1)*chunkSize, size)
		if !p.do(func(ctx context.Context, buf []byte) error {
			err := compareRange(ctx, written, f, off, end, buf, opt)
			if left.Add(-1) == 0 {
				written.Close()
			}
			return err
		}) {
			return
		}
	}
}

func compareRange(ctx context.Context, written *os.File, f File, off, end int64, buf []byte, opt Options) error {
	read := segment.ReadUntil(ctx)
	for off < end {
		n := min(pieceSize, end-off)
		want, got := buf[:n], buf[pieceSize:pieceSize+n]
		if err := segment.Fill(read, f.Data, want, off); err != nil {
			return err
		}
		if err := segment.ReadFull(written, got, off); err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			if err := opt.check(); err != nil {
				return err
			}
			i := 0
			for want[i] == got[i] {
				i++
			}
			return &os.PathError{Op: "verify", Path: written.Name(), Err: errDiffers(off + int64(i))}
		}
		off += n
		opt.progress(n)
	}
	return opt.check()
}

// errDiffers is the first byte that was read back as another than was written.
type errDiffers int64

func (e errDiffers) Error() string {
	return fmt.Sprintf("byte %d was read back as another than the source has", int64(e))
}

// compareAll compares all files of a directory.
func compareAll(ctx context.Context, dir string, entries []Entry, opt Options) error {
	p := newPool(ctx)
	for _, e := range entries {
		if e.Open == nil || e.Link != "" || p.ctx.Err() != nil {
			continue
		}
		path, err := e.at(dir)
		var f File
		if err == nil {
			f, err = e.Open()
		}
		if err != nil {
			p.cancel(err)
			break
		}
		p.compare(path, f, opt)
	}
	return p.wait()
}
