package segment

import "io"

// Layout is where the elements of an array lie: element (i, j, …) at byte
// Off+(i*Stride[0]+j*Stride[1]+…)*Elem of a source that has Limit bytes. Whoever permutes,
// cuts or slices an array changes its layout, however often, and makes Data of the last one:
// then it is one gather.
type Layout struct {
	Src              io.ReaderAt
	Limit, Off, Elem int64
	// Shape and Stride are in elements. Strides are not negative.
	Shape, Stride []int64
	// Bands are those that the gather is to have, or nil.
	Bands *Bands
}

// LayoutOf is the layout of the array of elements of elem bytes, as many as shape has, that
// d holds in C order. Where d is a gather, or a range, it is one of what d reads from, if
// the shape can be had there by strides; gathered reports that. Otherwise it is one of d.
func LayoutOf(d Data, elem int64, shape []int64) (l Layout, gathered bool) {
	l = Layout{Src: d, Limit: d.Size(), Elem: elem, Shape: shape, Stride: make([]int64, len(shape))}
	switch d := d.(type) {
	case *Strided:
		if d.elem == elem && expand(l.Stride, shape, d.dims) {
			l.Src, l.Off, l.Limit, l.Bands = d.src, d.off, d.limit, d.bands
			return l, true
		}
		l.Bands = d.bands
	case *Range:
		l.Src, l.Off, l.Limit = d.Src, d.Off, d.Off+d.N
	}
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		l.Stride[i] = step
		step *= shape[i]
	}
	return l, false
}

// expand undoes collapse: it finds the strides that walk a source as dims do, or reports
// that shape cuts it elsewhere.
func expand(stride, shape []int64, dims []dim) bool {
	at, size, step := len(dims), int64(1), int64(0)
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] == 1 {
			stride[i] = 0
			continue
		}
		if size == 1 {
			if at--; at < 0 {
				return false
			}
			size, step = dims[at].size, dims[at].stride
		}
		if shape[i] == 0 || size%shape[i] != 0 {
			return false
		}
		stride[i] = step
		if size /= shape[i]; size > 1 {
			step *= shape[i]
		}
	}
	return at == 0 && size == 1
}

// Data is the array in C order, as NewStrided has it.
func (l Layout) Data() (Data, error) {
	return NewStrided(l.Bands, l.Src, l.Limit, l.Off, l.Elem, l.Shape, l.Stride)
}
