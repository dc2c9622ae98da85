package diff

import (
	"encoding/binary"
	"math"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// widened is the elements of raw as float64, appended to dst: two for each where wanted are
// complex numbers, the second 0 for one that is real.
func widened(dst []float64, raw []byte, d checkpoint.DType, complex bool) ([]float64, error) {
	elements, bytes := d.Block()
	dst = slices.Grow(dst, 2*len(raw)/int(bytes)*int(elements))
	d, n := d.Parts()
	at := len(dst)
	switch {
	case domainOf(d) == asIntegers:
		for _, v := range integers(nil, raw, d) {
			if d == checkpoint.U64 {
				dst = append(dst, float64(uint64(v)))
			} else {
				dst = append(dst, float64(v))
			}
		}
	case d == checkpoint.F64:
		dst = dst[:at+len(raw)/8]
		for i := range dst[at:] {
			dst[at+i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	default:
		wide, err := ops.Cast(segment.Literal(raw), d, checkpoint.F32)
		if err != nil {
			return nil, err
		}
		p := make([]byte, wide.Size())
		if len(p) > 0 {
			if err := segment.ReadFull(wide, p, 0); err != nil {
				return nil, err
			}
		}
		dst = dst[:at+len(p)/4]
		for i := range dst[at:] {
			dst[at+i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:])))
		}
	}
	if complex && n == 1 {
		count := len(dst) - at
		dst = append(dst, make([]float64, count)...)
		for i := count - 1; i >= 0; i-- {
			dst[at+2*i], dst[at+2*i+1] = dst[at+i], 0
		}
	}
	return dst, nil
}

// floats compares real numbers, of which ordA and ordB are the ordinals; first is the index
// of the first of them in the tensor. Where all of a large tensor differs this loop is what
// takes the time, so it is one without calls, and divides only for a new maximum.
func (s *sums) floats(a, b []float64, ordA, ordB []int64, first int64, o Options) {
	b, ordA, ordB = b[:len(a)], ordA[:len(a)], ordB[:len(a)]
	var count, differing, beyond int64
	var sum, ab, aa, bb float64
	largest, at, rel, ulp := s.MaxAbs, s.MaxAt, s.MaxRel, s.MaxULP
	for i, x := range a {
		y := b[i]
		d := math.Abs(x - y)
		if !(d <= math.MaxFloat64) {
			if !finite(x) || !finite(y) {
				s.special(x, y)
				continue
			}
			d = math.MaxFloat64 // of numbers at both ends of float64
		}
		count++
		ab += x * y
		aa += x * x
		bb += y * y
		if d == 0 {
			continue
		}
		differing++
		sum += d
		if d > largest {
			largest, at = d, first+int64(i)
		}
		y = math.Abs(y)
		if d > rel*y && y > 0 {
			rel = max(rel, min(d/y, math.MaxFloat64))
		}
		if d > o.Atol+o.Rtol*y {
			beyond++
		}
		if u := distance(ordA[i], ordB[i]); u > ulp {
			ulp = u
		}
	}
	s.Finite, s.Differing, s.Beyond = s.Finite+count, s.Differing+differing, s.Beyond+beyond
	s.abs, s.ab, s.aa, s.bb = s.abs+sum, s.ab+ab, s.aa+aa, s.bb+bb
	s.MaxAbs, s.MaxAt, s.MaxRel, s.MaxULP = largest, at, rel, ulp
}

func (s *sums) dot(x, y float64) {
	s.ab += x * y
	s.aa += x * x
	s.bb += y * y
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// special counts a place where not both are finite.
func (s *sums) special(x, y float64) {
	s.count(x == y, math.IsNaN(x), math.IsNaN(y), math.IsInf(x, 0), math.IsInf(y, 0))
}

// count counts such a place by what it holds; same is an infinity and the same.
func (s *sums) count(same, nanA, nanB, infA, infB bool) {
	switch {
	case same:
		s.InfBoth++
	case nanA && nanB:
		s.NaNBoth++
	default:
		s.Differing++
		s.Beyond++
	}
	s.NaNA, s.NaNB = s.NaNA+one(nanA), s.NaNB+one(nanB)
	s.InfA, s.InfB = s.InfA+one(infA && !nanA), s.InfB+one(infB && !nanB)
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// complexes compares complex numbers, two float64 each. One with a NaN in it is a NaN, and
// one without and with an infinity is infinite.
func (s *sums) complexes(a, b []float64, ordA, ordB []int64, first int64, o Options) {
	isNaN := func(re, im float64) bool { return math.IsNaN(re) || math.IsNaN(im) }
	isInf := func(re, im float64) bool { return math.IsInf(re, 0) || math.IsInf(im, 0) }
	for i := 0; i+1 < len(a); i += 2 {
		ar, ai, br, bi := a[i], a[i+1], b[i], b[i+1]
		same := ar == br && ai == bi
		if !(finite(ar) && finite(ai) && finite(br) && finite(bi)) {
			s.count(same, isNaN(ar, ai), isNaN(br, bi), isInf(ar, ai), isInf(br, bi))
			continue
		}
		s.Finite++
		s.dot(ar, br)
		s.dot(ai, bi)
		if !same {
			s.differ(first+int64(i/2), math.Hypot(ar-br, ai-bi), math.Hypot(br, bi), o)
			s.MaxULP = max(s.MaxULP, distance(ordA[i], ordB[i]), distance(ordA[i+1], ordB[i+1]))
		}
	}
}

// ordinals numbers floating-point numbers in the order of their values, neighbours by
// neighbours, both zeros by 0. They are those of the dtype of both sides, or, where they
// have two, or blocks, of float32, or of float64 where float32 does not hold one of them.
func ordinals(dst []int64, raw []byte, wide []float64, d, other checkpoint.DType) []int64 {
	dst = slices.Grow(dst[:0], len(wide))[:len(wide)]
	same := d == other && d.Bits() > 0
	d, _ = d.Parts()
	other, _ = other.Parts()
	if same {
		enumerate(dst, raw, d)
		return dst
	}
	narrow := func(d checkpoint.DType) bool { return d != checkpoint.F64 && domainOf(d) == asFloats }
	for i, x := range wide {
		if narrow(d) && narrow(other) {
			dst[i] = signed(uint64(math.Float32bits(float32(x))), 32)
		} else {
			dst[i] = signed(math.Float64bits(x), 64)
		}
	}
	return dst
}

// enumerate makes ordinals of the elements of raw.
func enumerate(dst []int64, raw []byte, d checkpoint.DType) {
	switch {
	case d == checkpoint.F4: // two in a byte, the first in its low half
		for i := range dst {
			dst[i] = signed(uint64(raw[i/2]>>(4*(i%2)))&15, 4)
		}
	case d == checkpoint.F8E8M0: // which has no sign
		for i := range dst {
			dst[i] = int64(raw[i])
		}
	case d.Bits() == 8:
		for i := range dst {
			dst[i] = signed(uint64(raw[i]), 8)
		}
	case d.Bits() == 16:
		for i := range dst {
			dst[i] = signed(uint64(binary.LittleEndian.Uint16(raw[2*i:])), 16)
		}
	case d.Bits() == 32:
		for i := range dst {
			dst[i] = signed(uint64(binary.LittleEndian.Uint32(raw[4*i:])), 32)
		}
	default:
		for i := range dst {
			dst[i] = signed(binary.LittleEndian.Uint64(raw[8*i:]), 64)
		}
	}
}

// signed reads a number of so many bits as a sign and a magnitude.
func signed(pattern uint64, bits uint) int64 {
	magnitude := int64(pattern &^ (1 << (bits - 1)))
	sign := -int64(pattern >> (bits - 1)) // all ones, or none: no branch that data decides on
	return (magnitude ^ sign) - sign
}

func distance(a, b int64) uint64 {
	if a > b {
		a, b = b, a
	}
	return uint64(b) - uint64(a)
}
