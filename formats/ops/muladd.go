package ops

import (
	"fmt"
	"math"
)

// Matrix is rows of float32. Stride is the distance between two of them, in elements.
type Matrix struct {
	Data               []float32
	Rows, Cols, Stride int
}

// check panics where a matrix has less data than it says: that is a mistake of the caller.
func (m Matrix) check() {
	if m.Rows < 0 || m.Cols < 0 || m.Stride < m.Cols || m.Rows > 0 && m.Cols > 0 && len(m.Data) < (m.Rows-1)*m.Stride+m.Cols {
		panic(fmt.Sprintf("ops: a matrix of %d × %d, stride %d, in %d elements", m.Rows, m.Cols, m.Stride, len(m.Data)))
	}
}

const (
	blockCols = 24
	panelCols = 4 * blockCols // whole lines of the cache
	panelRows = 64            // 24 KiB together
)

// MulAdd adds B·A to C, whose memory is its own:
//
//	C[i,j] = fma(B[i,k], A[k,j], C[i,j])  for k = 0, 1, 2 …
//
// each step rounded once, to float32. That is what MKL does in torch on x86 for up to 192
// columns of B, so that a LoRA merged here has the bits of one merged there. The bits are
// the same on every machine, save which NaN a NaN is.
//
// Matrices that do not fit each other, or their data, are a panic.
func MulAdd(c, b, a Matrix) { best.mulAdd(c, b, a) }

func (kernels *kernels) mulAdd(c, b, a Matrix) {
	c.check()
	b.check()
	a.check()
	if c.Rows != b.Rows || c.Cols != a.Cols || b.Cols != a.Rows {
		panic(fmt.Sprintf("ops: %d × %d times %d × %d added to %d × %d", b.Rows, b.Cols, a.Rows, a.Cols, c.Rows, c.Cols))
	}
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	// A few columns of A are copied together, so that they stay in the nearest cache for all rows of B: rows of a
	// large power of two would push each other out of it.
	panel := make([]float32, min(a.Rows, panelRows)*panelCols)
	var edge [4 * blockCols]float32
	for k := 0; k < a.Rows; k += panelRows { // C holds the sum so far: the order stays
		inner := min(panelRows, a.Rows-k)
		for j := 0; j < c.Cols; j += panelCols {
			width := min(panelCols, c.Cols-j)
			for i := range inner {
				row := panel[i*panelCols:][:panelCols]
				clear(row[copy(row, a.Data[(k+i)*a.Stride+j:][:width]):])
			}
			blocks, rest := width/blockCols, width%blockCols
			for i := 0; i < c.Rows; i += 4 {
				rows := min(4, c.Rows-i)
				from := b.Data[i*b.Stride+k:]
				if blocks > 0 {
					kernels.block(c.Data[i*c.Stride+j:], from, panel, rows, inner, blocks, c.Stride, b.Stride, panelCols)
				}
				if rest == 0 {
					continue
				}
				at := i*c.Stride + j + blocks*blockCols
				for r := range rows {
					copy(edge[r*blockCols:], c.Data[at+r*c.Stride:][:rest])
				}
				kernels.block(edge[:], from, panel[blocks*blockCols:], rows, inner, 1, blockCols, b.Stride, panelCols)
				for r := range rows {
					copy(c.Data[at+r*c.Stride:][:rest], edge[r*blockCols:])
				}
			}
		}
	}
}

// block is kernels.block in Go.
func block(c, b, a []float32, rows, inner, blocks, cs, bs, as int) {
	for i := range rows {
		row := c[i*cs:][:blocks*blockCols]
		for k, x := range b[i*bs:][:inner] {
			for j, y := range a[k*as:][:len(row)] {
				row[j] = fma32(x, y, row[j])
			}
		}
	}
}

// fma32 is x*y + z, rounded once. The product is exact in float64. The sum is rounded to odd
// there: the last of its bits says whether anything was lost, so that the second rounding
// cannot take for a tie what was none (Boldo and Melquiond, "Emulation of FMA and Correctly
// Rounded Sums", 2008).
func fma32(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	t := s - p
	lost := (p - (s - t)) + (c - t) // exactly (Knuth's TwoSum)
	if b := math.Float64bits(s); b&1 == 0 && (lost > 0 || lost < 0) {
		if (lost > 0) == (s > 0) {
			b++
		} else {
			b--
		}
		s = math.Float64frombits(b)
	}
	return float32(s)
}
