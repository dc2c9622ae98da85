package diff

import (
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// Values is how the values of a pair differ. Of what is not a number (see doc.go) Elements
// is 0, and Differing counts bytes.
type Values struct {
	// Elements is how many there are, Differing how many have another value, Beyond how
	// many of these are not within the tolerances.
	Elements, Differing, Beyond int64
	// MaxAbs is the largest |a - b|, at the element MaxAt in C order; MaxRel the largest
	// |a - b| / |b| where b is not 0; MeanAbs the mean of |a - b|. All are of places where
	// both are finite, Finite in number.
	MaxAbs, MaxRel, MeanAbs float64
	MaxAt, Finite           int64
	// MaxULP is the most floating-point numbers of the common dtype, or of that to which
	// both were widened, between a and b, one of them counted: 1 for neighbours. 0 for
	// integers.
	MaxULP uint64
	// Cosine is a·b / (|a| |b|) over all finite places, NaN where either norm is 0.
	Cosine float64
	// NaNs and infinities of each side, and the places where both have a NaN, where both
	// have the same infinity.
	NaNA, NaNB, NaNBoth, InfA, InfB, InfBoth int64
}

// sums is the values of a run of elements, before means are taken.
type sums struct {
	Values
	abs, ab, aa, bb float64
}

// add takes the sums of a later run.
func (s *sums) add(t *sums) {
	s.Differing += t.Differing
	s.Beyond += t.Beyond
	s.Finite += t.Finite
	if t.MaxAbs > s.MaxAbs {
		s.MaxAbs, s.MaxAt = t.MaxAbs, t.MaxAt
	}
	s.MaxRel, s.MaxULP = max(s.MaxRel, t.MaxRel), max(s.MaxULP, t.MaxULP)
	s.NaNA, s.NaNB, s.NaNBoth = s.NaNA+t.NaNA, s.NaNB+t.NaNB, s.NaNBoth+t.NaNBoth
	s.InfA, s.InfB, s.InfBoth = s.InfA+t.InfA, s.InfB+t.InfB, s.InfBoth+t.InfBoth
	s.abs, s.ab, s.aa, s.bb = s.abs+t.abs, s.ab+t.ab, s.aa+t.aa, s.bb+t.bb
}

// result is the values of all elements.
func (s *sums) result() *Values {
	v := s.Values
	if v.Finite > 0 {
		v.MeanAbs = s.abs / float64(v.Finite)
	}
	v.Cosine = math.NaN()
	if s.aa > 0 && s.bb > 0 {
		v.Cosine = min(1, max(-1, s.ab/(math.Sqrt(s.aa)*math.Sqrt(s.bb))))
	}
	return &v
}

// differ takes the difference of the element at i, whose values are finite and not equal: d
// is |a - b|, b is |b|.
func (s *sums) differ(i int64, d, b float64, o Options) {
	if d > math.MaxFloat64 { // of numbers at both ends of float64
		d = math.MaxFloat64
	}
	s.Differing++
	s.abs += d
	if d > s.MaxAbs {
		s.MaxAbs, s.MaxAt = d, i
	}
	if d > s.MaxRel*b && b > 0 { // which divides little
		s.MaxRel = max(s.MaxRel, min(d/b, math.MaxFloat64))
	}
	if !(d <= o.Atol+o.Rtol*b) {
		s.Beyond++
	}
}

// domain is how two dtypes are compared.
type domain int

const (
	asBytes domain = iota
	asFloats
	asIntegers
	asComplex
)

func domainOf(d checkpoint.DType) domain {
	switch d {
	case checkpoint.BOOL, checkpoint.U8, checkpoint.I8, checkpoint.U16, checkpoint.I16, checkpoint.U32, checkpoint.I32, checkpoint.U64, checkpoint.I64:
		return asIntegers
	case checkpoint.C32, checkpoint.BC32, checkpoint.C64, checkpoint.C128:
		return asComplex
	case checkpoint.F64:
		return asFloats
	}
	if ops.Casts(d, checkpoint.F32) {
		return asFloats
	}
	return asBytes
}

// commonDomain is how two dtypes are compared: asBytes where only their bytes can be.
func commonDomain(a, b checkpoint.DType) domain {
	x, y := domainOf(a), domainOf(b)
	switch {
	case x == asBytes || y == asBytes:
		return asBytes
	case x == asComplex || y == asComplex:
		return asComplex
	case x == asIntegers && y == asIntegers:
		return asIntegers
	}
	return asFloats
}
