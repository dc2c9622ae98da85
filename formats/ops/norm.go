package ops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/lru"
	"wfs/formats/segment"
)

// along is a with each index of a dimension times its number in factor, which are float32.
func along(a Array, axis int, factor segment.Data) (Array, error) {
	x, err := floats(a)
	if err != nil {
		return Array{}, err
	}
	s := &scaled{from: x.Data, factor: factor, size: a.Shape[axis], inner: 1}
	for _, n := range a.Shape[axis+1:] {
		s.inner *= n
	}
	x.Data = &segment.Computed{N: x.Data.Size() / 4, Unit: 4, Make: s.fill}
	return x, nil
}

type scaled struct {
	from, factor segment.Data
	size, inner  int64 // of the dimension, and what lies below one index
}

func (s *scaled) fill(read segment.ReadFunc, dst []byte, first int64) error {
	buffer := operand.Get().(*[foldBytes]byte)
	defer operand.Put(buffer)
	begin, end := int64(0), int64(0) // which factors are in it
	for len(dst) > 0 {
		n := min(int64(len(dst)), foldBytes)
		if err := segment.Fill(read, s.from, dst[:n], first*4); err != nil {
			return err
		}
		for at := int64(0); at < n; {
			row := (first + at/4) / s.inner
			index, stop := row%s.size, min(n, ((row+1)*s.inner-first)*4)
			if index < begin || index >= end {
				begin, end = index, min(index+foldBytes/4, s.size, index+(n-at)/(4*s.inner)+1)
				if err := segment.Fill(read, s.factor, buffer[:4*(end-begin)], 4*begin); err != nil {
					return err
				}
			}
			p := math.Float32frombits(le.Uint32(buffer[4*(index-begin):]))
			if stop-at == 4 {
				le.PutUint32(dst[at:], math.Float32bits(math.Float32frombits(le.Uint32(dst[at:]))*p))
			} else {
				best.scale(dst[at:stop], nil, nil, p, 0)
			}
			at = stop
		}
		dst, first = dst[n:], first+n/4
	}
	return nil
}

// WeightNorm is the weight of a layer that has a direction v and a length g in its place:
// g·v/‖v‖, with the norm over all dimensions but that in which g has more than one element.
// That is 0 in most layers, and none where g has one element in all (weight_norm's dim=None).
// The names are weight_g and weight_v, or parametrizations.weight.original0 and original1.
// It is torch.nn.utils.remove_weight_norm's to about the last bit: sums here are in float64.
func WeightNorm(g, v Array) (Array, error) {
	w, err := weightNorm(g, v)
	return w, within("weight norm", err)
}

func weightNorm(g, v Array) (Array, error) {
	if _, err := v.check(); err != nil {
		return Array{}, err
	}
	length, err := floats(g)
	if err != nil {
		return Array{}, err
	}
	axis, ok := kept(g.Shape, v.Shape)
	if !ok {
		return Array{}, fmt.Errorf("a length %s for a direction %s: the shapes do not say along which dimension", g, v)
	}
	shape := v.Shape
	if axis < 0 {
		if v, err = Reshape(v, slices.Concat([]int64{1}, shape)...); err != nil {
			return Array{}, err
		}
		axis = 0
	}
	rows := v
	if axis > 0 {
		order := []int{axis}
		for i := range v.Shape {
			if i != axis {
				order = append(order, i)
			}
		}
		if rows, err = Permute(v, order...); err != nil {
			return Array{}, err
		}
	}
	if rows, err = floats(rows); err != nil {
		return Array{}, err
	}
	w, err := along(v, axis, norms(v.Shape[axis], length.Data, rows.Data))
	w.Shape = shape
	return w.among(g), err
}

// kept is the dimension in which a length has as many elements as its direction, or -1 where
// it has one for all.
func kept(length, direction []int64) (axis int, ok bool) {
	axis = -1
	if len(length) > 0 && len(length) != len(direction) {
		return axis, false
	}
	for i, n := range length {
		switch {
		case n == direction[i] && n != 1 && axis < 0:
			axis = i
		case n != 1:
			return axis, false
		}
	}
	return axis, true
}

// norms is n numbers of g over the norms of as many rows. A request has to know those of all
// rows where they lie along the last dimension: so they are kept, for some rows together.
func norms(n int64, g, rows segment.Data) segment.Data {
	length := rows.Size() / 4 / max(n, 1)
	r := &normed{g: g, rows: newReduction(length, rows, nil), n: n, each: max(1, min(n, shortRow/4/max(length, 1)))}
	r.known.Limit = min(normsKept, 4*r.each*mostKnown)
	return &segment.Computed{N: n, Unit: 4, Make: r.fill}
}

type normed struct {
	g       segment.Data
	rows    *reduction
	n, each int64 // rows, and how many of them are kept together

	known lru.Shared[int64, byte]
}

// normsKept is the bytes of numbers that are kept, of mostKnown blocks at most.
const normsKept = 4 << 20

func (r *normed) fill(read segment.ReadFunc, dst []byte, first int64) error {
	for len(dst) > 0 {
		block, skip := first/r.each, first%r.each
		numbers, ok := r.known.Get(block)
		if !ok {
			var err error
			if numbers, err = r.block(read, block*r.each, min(r.each, r.n-block*r.each)); err != nil {
				return err
			}
			r.known.Put(block, numbers)
		}
		k := copy(dst, numbers[4*skip:])
		dst, first = dst[k:], first+int64(k/4)
	}
	return nil
}

// block is the numbers of count rows from first on.
func (r *normed) block(read segment.ReadFunc, first, count int64) ([]byte, error) {
	numbers := make([]byte, 4*count)
	if err := segment.Fill(read, r.g, numbers, 4*first); err != nil {
		return nil, err
	}
	row := 4 * r.rows.length
	buffer := operand.Get().(*[foldBytes]byte)
	defer operand.Put(buffer)
	if row <= shortRow {
		if err := segment.Fill(read, r.rows.x, buffer[:count*row], first*row); err != nil {
			return nil, err
		}
	}
	for i := range count {
		var s rowSums
		if row <= shortRow {
			s = products(buffer[i*row:(i+1)*row], buffer[i*row:(i+1)*row])
		} else {
			var err error
			if s, err = r.rows.of(read, first+i); err != nil {
				return nil, err
			}
		}
		at := numbers[4*i:]
		le.PutUint32(at, math.Float32bits(math.Float32frombits(le.Uint32(at))/float32(math.Sqrt(s.xx))))
	}
	return numbers, nil
}

// BatchNorm is what a layer of batch normalization has at inference. Each array has one
// element for each channel.
type BatchNorm struct {
	Mean, Var    Array  // running_mean, running_var
	Weight, Bias *Array // nil is affine=False
	Eps          float64
}

// Fold is the weight and the bias of the layer before a batch normalization, with that in
// them: W·γ/√(σ²+ε) and (b−μ)·γ/√(σ²+ε)+β. Output channels are along axis of the weight: 0,
// or 1 for a transposed convolution. bias may be nil. It is torch.nn.utils.fusion's, bit for
// bit where all is F32.
func (n BatchNorm) Fold(weight Array, bias *Array, axis int) (w, b Array, err error) {
	w, b, err = n.fold(weight, bias, axis)
	return w, b, within("batch norm", err)
}

func (n BatchNorm) fold(weight Array, bias *Array, axis int) (w, b Array, err error) {
	if axis, err = axisOf(axis, len(weight.Shape), weight.Shape); err != nil {
		return w, b, err
	}
	if !(float32(n.Eps) >= 0) || math.IsInf(n.Eps, 0) {
		return w, b, errors.New("eps has to be 0 or more")
	}
	channels := weight.Shape[axis]
	vector := func(a *Array, otherwise float32) operandOr {
		switch {
		case a == nil:
			return operandOr{otherwise: otherwise}
		case !slices.Equal(a.Shape, []int64{channels}):
			err = fmt.Errorf("%s for the %d channels of %s", a, channels, weight)
			return operandOr{}
		}
		x, e := floats(*a)
		if e != nil {
			err = e
		}
		return operandOr{x.Data, otherwise}
	}
	mean, variance, gamma, beta, before := vector(&n.Mean, 0), vector(&n.Var, 1), vector(n.Weight, 1), vector(n.Bias, 0), vector(bias, 0)
	if err != nil {
		return w, b, err
	}
	inverse := func(variance float32) float32 { return 1 / float32(math.Sqrt(float64(variance+float32(n.Eps)))) }
	if w, err = along(weight, axis, channelwise(channels, func(v []float32) float32 { return v[0] * inverse(v[1]) }, gamma, variance)); err != nil {
		return w, b, err
	}
	shift := func(v []float32) float32 { return float32(float32((v[0]-v[1])*inverse(v[2]))*v[3]) + v[4] }
	if len(weight.Shape) == 2 { // of a linear layer, in the order that fuse_linear_bn_weights has
		shift = func(v []float32) float32 { return float32((v[0]-v[1])*float32(v[3]*inverse(v[2]))) + v[4] }
	}
	b = Array{DType: checkpoint.F32, Shape: []int64{channels}, Data: channelwise(channels, shift, before, mean, variance, gamma, beta)}
	return w, b, nil
}

// operandOr is float32 of a source, or one number for all.
type operandOr struct {
	segment.Data
	otherwise float32
}

// channelwise is n float32, each of which f makes of one number of each operand.
func channelwise(n int64, f func(v []float32) float32, operands ...operandOr) segment.Data {
	const step = 1024
	return &segment.Computed{N: n, Unit: 4, Make: func(read segment.ReadFunc, dst []byte, first int64) error {
		v, b := make([]float32, len(operands)), make([]byte, 4*step*len(operands))
		for len(dst) > 0 {
			n := min(len(dst), 4*step)
			for i, d := range operands {
				if d.Data == nil {
					continue
				}
				if err := segment.Fill(read, d.Data, b[4*step*i:][:n], 4*first); err != nil {
					return err
				}
			}
			for at := 0; at < n; at += 4 {
				for i, d := range operands {
					if v[i] = d.otherwise; d.Data != nil {
						v[i] = math.Float32frombits(le.Uint32(b[4*step*i+at:]))
					}
				}
				le.PutUint32(dst[at:], math.Float32bits(f(v)))
			}
			dst, first = dst[n:], first+int64(n/4)
		}
		return nil
	}}
}
