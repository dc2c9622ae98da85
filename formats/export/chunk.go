package export

import (
	"bytes"
	"context"
	"os"

	"wfs/formats/segment"
)

const (
	// chunkSize is what a worker takes of a file at a time.
	chunkSize = 8 << 20
	// pieceSize is what is read and written at a time. It is a multiple of holeSize, and the
	// buffer stays in the processor's cache between the two.
	pieceSize = 512 << 10
	// holeSize is the least run of zeros, at a multiple of it, that becomes a hole.
	holeSize = 64 << 10
)

var zeros [holeSize]byte

// chunk is a part of a file that one worker copies.
type chunk struct {
	*target
	off, n int64
}

// copy copies a chunk. buf has pieceSize bytes.
func (c chunk) copy(ctx context.Context, buf []byte, opt Options) error {
	read := segment.ReadUntil(ctx)
	for off, end := c.off, c.off+c.n; off < end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := min(int64(len(buf)), end-off)
		if done := c.shared.try(c.file, c.source, off, end-off); done > 0 {
			n = done
		} else if err := c.piece(read, buf[:n], off); err != nil {
			return err
		}
		off += n
		opt.progress(n)
	}
	if !opt.NoSync {
		startWriting(c.file, c.off, c.n)
	}
	return opt.check()
}

// piece copies len(buf) bytes at off.
func (c chunk) piece(read segment.ReadFunc, buf []byte, off int64) error {
	if err := segment.Fill(read, c.source, buf, off); err != nil {
		return err
	}
	return writeSparse(c.file, buf, off)
}

// writeSparse writes buf at off, a multiple of holeSize, without the blocks of zeros: a new
// file has them already.
func writeSparse(f *os.File, buf []byte, off int64) error {
	from := 0 // of what is not zero and not yet written
	for at := 0; at < len(buf); {
		end := min(at+holeSize, len(buf))
		if bytes.Equal(buf[at:end], zeros[:end-at]) {
			if from < at {
				if _, err := f.WriteAt(buf[from:at], off+int64(from)); err != nil {
					return err
				}
			}
			from = end
		}
		at = end
	}
	if from == len(buf) {
		return nil
	}
	_, err := f.WriteAt(buf[from:], off+int64(from))
	return err
}
