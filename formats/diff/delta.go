package diff

import (
	"encoding/binary"
	"io"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Delta is b - a of a pair, elements in C order, computed while it is read: in float32, or
// float64 where a side is F64 or the sides are an integer and a floating-point number; in
// complex64, or complex128 likewise; of integers and booleans in the smallest signed integer
// that holds every difference, of 64 bits modulo 2⁶⁴. ok is false where the shapes differ, or
// a dtype is compared as bytes.
func (p *Pair) Delta() (data segment.Data, dtype checkpoint.DType, ok bool) {
	out := deltaType(p.A.DType, p.B.DType)
	if !p.SameShape() || out == checkpoint.Invalid {
		return nil, out, false
	}
	count := newJob(p.A, p.B).count()
	return &delta{p.A, p.B, commonDomain(p.A.DType, p.B.DType), out, count}, out, true
}

func deltaType(a, b checkpoint.DType) checkpoint.DType {
	partA, _ := a.Parts()
	partB, _ := b.Parts()
	narrow := func(d checkpoint.DType) bool { return d != checkpoint.F64 && domainOf(d) == asFloats }
	switch commonDomain(a, b) {
	case asFloats:
		if narrow(a) && narrow(b) {
			return checkpoint.F32
		}
		return checkpoint.F64
	case asComplex:
		if narrow(partA) && narrow(partB) {
			return checkpoint.C64
		}
		return checkpoint.C128
	case asIntegers:
		switch bits := max(a.Bits(), b.Bits()); {
		case a == checkpoint.BOOL && b == checkpoint.BOOL:
			return checkpoint.I8
		case bits == 8:
			return checkpoint.I16
		case bits == 16:
			return checkpoint.I32
		}
		return checkpoint.I64
	}
	return checkpoint.Invalid
}

type delta struct {
	a, b   Tensor
	domain domain
	out    checkpoint.DType
	count  int64
}

var _ segment.Composite = (*delta)(nil)

// deltaStep is how many elements are computed at once, and so what memory a read takes.
const deltaStep = 64 * blockUnit

// Size implements segment.Data.
func (d *delta) Size() int64 { return d.count * int64(d.out.Bits()/8) }

// ReadAt implements io.ReaderAt.
func (d *delta) ReadAt(p []byte, off int64) (int, error) {
	return d.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements segment.Composite.
func (d *delta) ReadWith(read segment.ReadFunc, p []byte, off int64) (n int, err error) {
	p, atEnd, err := segment.Clip(p, off, d.Size())
	if err != nil {
		return 0, err
	}
	width := int64(d.out.Bits() / 8)
	var s deltaScratch
	for n < len(p) {
		first := (off + int64(n)) / width / blockUnit * blockUnit
		last := min(d.count, first+deltaStep, (off+int64(len(p))+width-1)/width)
		b, err := d.elements(&s, read, first, last)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[off+int64(n)-first*width:])
	}
	return n, atEnd
}

// deltaScratch is the buffers of one read.
type deltaScratch struct {
	rawA, rawB, out []byte
	a, b            []float64
	intA, intB      []int64
}

// elements computes the elements from first to before last; first fills whole blocks.
func (d *delta) elements(s *deltaScratch, read segment.ReadFunc, first, last int64) (out []byte, err error) {
	raw := func(p []byte, t Tensor) ([]byte, error) {
		elements, bytes := t.DType.Block()
		off := first / elements * bytes
		n := min((last-first+elements-1)/elements*bytes, t.Data.Size()-off)
		if int64(cap(p)) < n {
			p = make([]byte, n)
		}
		p = p[:n]
		return p, segment.Fill(read, t.Data, p, off)
	}
	if s.rawA, err = raw(s.rawA, d.a); err != nil {
		return nil, err
	}
	if s.rawB, err = raw(s.rawB, d.b); err != nil {
		return nil, err
	}
	s.out = s.out[:0]
	if d.domain == asIntegers {
		s.intA, s.intB = integers(s.intA[:0], s.rawA, d.a.DType), integers(s.intB[:0], s.rawB, d.b.DType)
		for i, x := range s.intA {
			s.out = appendInteger(s.out, d.out, s.intB[i]-x)
		}
		return s.out, nil
	}
	if s.a, err = widened(s.a[:0], s.rawA, d.a.DType, d.domain == asComplex); err != nil {
		return nil, err
	}
	if s.b, err = widened(s.b[:0], s.rawB, d.b.DType, d.domain == asComplex); err != nil {
		return nil, err
	}
	// The difference of two float32 in float64, rounded, is that in float32: 53 bits are more
	// than 2 * 24 + 2 (Figueroa, "When is double rounding innocuous?").
	part, _ := d.out.Parts()
	for i, x := range s.a {
		if v := s.b[i] - x; part == checkpoint.F32 {
			s.out = binary.LittleEndian.AppendUint32(s.out, math.Float32bits(float32(v)))
		} else {
			s.out = binary.LittleEndian.AppendUint64(s.out, math.Float64bits(v))
		}
	}
	return s.out, nil
}

func appendInteger(b []byte, d checkpoint.DType, v int64) []byte {
	switch d {
	case checkpoint.I8:
		return append(b, byte(v))
	case checkpoint.I16:
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	case checkpoint.I32:
		return binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(b, uint64(v))
}
