package segment

import "io"

// Computed is Data of N units that are made of other readers while they are read: rows of a
// matrix product, blocks of a quantized tensor, sums of two tensors.
type Computed struct {
	// N is the number of units, Unit the bytes of one.
	N, Unit int64
	// Make fills dst, whole units from number first on, from what it gets by read. It is
	// called by several goroutines at once, and keeps no part of dst. Where a unit is a
	// small part of the work, as an element is, dst can be as large as a request.
	Make func(read ReadFunc, dst []byte, first int64) error
}

// Size implements Data.
func (c *Computed) Size() int64 { return c.N * c.Unit }

// ReadAt implements Data.
func (c *Computed) ReadAt(p []byte, off int64) (int, error) {
	return c.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite. The units that a request has in part are made in scratch
// memory, the others where they are wanted.
func (c *Computed) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, c.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	done := 0
	for done < len(p) {
		unit, skip := (off+int64(done))/c.Unit, (off+int64(done))%c.Unit
		left := p[done:]
		if whole := int64(len(left)) / c.Unit * c.Unit; skip == 0 && whole > 0 {
			if err := c.Make(read, left[:whole], unit); err != nil {
				return done, err
			}
			done += int(whole)
			continue
		}
		n, err := c.part(read, left, unit, skip)
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, atEnd
}

// part copies the bytes of one unit from skip on.
func (c *Computed) part(read ReadFunc, p []byte, unit, skip int64) (int, error) {
	b := borrow(c.Unit)
	defer scratch.Put(b)
	if err := c.Make(read, *b, unit); err != nil {
		return 0, err
	}
	return copy(p, (*b)[skip:]), nil
}
