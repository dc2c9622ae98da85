package ops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Slerp is a at t = 0, b at t = 1, and between them on the great circle through both, taken as
// vectors of all their elements. Where they point the same way, or apart, it is on the line.
// It is mergekit's slerp (merge_methods/slerp.py), whose sums are in float32; these are in
// float64, so that results differ by about the last bit. The first read of it reads both
// arrays to their ends.
func Slerp(a, b Array, t float64) (Array, error) {
	out, err := slerp(a, b, t, false)
	return out, within("slerp", err)
}

// SlerpRows is Slerp of each row of dimension 0 by itself: the angle is that of the weights of an output.
func SlerpRows(a, b Array, t float64) (Array, error) {
	out, err := slerp(a, b, t, true)
	return out, within("slerp", err)
}

func slerp(a, b Array, t float64, rows bool) (Array, error) {
	if err := checkWeight(float32(t)); err != nil {
		return Array{}, err
	}
	if !slices.Equal(a.Shape, b.Shape) {
		return Array{}, fmt.Errorf("%s and %s have not one shape", a, b)
	}
	x, err := floats(a)
	if err != nil {
		return Array{}, err
	}
	y, err := floats(b)
	if err != nil {
		return Array{}, err
	}
	count := x.Data.Size() / 4
	length := count
	if rows {
		if len(a.Shape) == 0 {
			return Array{}, errors.New("an array without dimensions has no rows")
		}
		length /= max(a.Shape[0], 1)
	}
	s := &spherical{x.Data, y.Data, length, newReduction(length, x.Data, y.Data), float32(t)}
	out := a.among(b)
	out.DType, out.Data = checkpoint.F32, &segment.Computed{N: count, Unit: 4, Make: s.fill}
	return out, nil
}

type spherical struct {
	x, y   segment.Data
	length int64 // elements of a row
	sums   *reduction
	t      float32
}

func (s *spherical) fill(read segment.ReadFunc, dst []byte, first int64) error {
	y := operand.Get().(*[foldBytes]byte)
	defer operand.Put(y)
	for len(dst) > 0 {
		n := min(int64(len(dst)), foldBytes)
		if err := segment.Fill(read, s.x, dst[:n], first*4); err != nil {
			return err
		}
		if err := segment.Fill(read, s.y, y[:n], first*4); err != nil {
			return err
		}
		for at := int64(0); at < n; {
			row := (first + at/4) / s.length
			end := min(n, ((row+1)*s.length-first)*4)
			var sums rowSums
			if end-at == s.length*4 && s.length*4 <= shortRow { // the row is here
				sums = products(dst[at:end], y[at:end])
			} else {
				var err error
				if sums, err = s.sums.of(read, row); err != nil {
					return err
				}
			}
			p, q := s.coefficients(sums)
			best.blend(dst[at:end], y[at:end], nil, p, q)
			at = end
		}
		dst, first = dst[n:], first+n/4
	}
	return nil
}

// coefficients are what both arrays are multiplied with.
func (s *spherical) coefficients(sums rowSums) (p, q float32) {
	norm := func(squares float64) float64 {
		if n := math.Sqrt(squares); n > 1e-8 || n != n {
			return n
		}
		return 1
	}
	dot := max(-1, min(1, sums.xy/norm(sums.xx)/norm(sums.yy)))
	if math.Abs(dot) > 0.9995 {
		return 1 - s.t, s.t
	}
	theta := math.Acos(dot)
	sin := math.Sin(theta)
	return float32(math.Sin(float64(1-s.t)*theta) / sin), float32(math.Sin(float64(s.t)*theta) / sin)
}
