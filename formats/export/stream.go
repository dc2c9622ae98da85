package export

import (
	"context"
	"io"

	"wfs/formats/segment"
)

// Stream writes a file to w from first to last, while it reads the next piece. What has gone
// to w stays there when it fails.
func Stream(ctx context.Context, w io.Writer, f File, opt Options) error {
	type piece struct {
		bytes []byte
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pieces, free := make(chan piece), make(chan []byte, 2)
	free <- make([]byte, pieceSize)
	free <- make([]byte, pieceSize)
	go func() {
		defer close(pieces)
		read := segment.ReadUntil(ctx)
		for off, size := int64(0), f.Size(); off < size; {
			p := piece{bytes: <-free}
			p.bytes = p.bytes[:min(pieceSize, size-off)]
			if p.err = segment.Fill(read, f.Data, p.bytes, off); p.err == nil {
				p.err = opt.check()
			}
			off += int64(len(p.bytes))
			select {
			case pieces <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		if p.err != nil {
			return p.err
		}
		if _, err := w.Write(p.bytes); err != nil {
			return err
		}
		opt.progress(int64(len(p.bytes)))
		free <- p.bytes
	}
	return context.Cause(ctx)
}
