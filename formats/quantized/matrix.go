package quantized

import (
	"encoding/binary"
	"fmt"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

var le = binary.LittleEndian

// matrix computes rows × cols numbers from codes of at most eight bits:
//
//	W[n,k] = (values[code[n,k]] − zero[n/tall, g]) · scale[n/tall, g],  g = k/wide or index[k]
//
// in float32, whose difference is exact for all formats there are, and whose product is then
// rounded to dtype, once.
type matrix struct {
	dtype      checkpoint.DType
	rows, cols int64
	codes      codes
	// values are what codes stand for, all that there are, and decoded the same for any byte.
	values  []float32
	decoded *[256]float32
	// tall and wide are the rows and columns that a scale is for. There are groups of them
	// side by side.
	tall, wide, groups int64
	scales             table
	zeros              table // nil for none
	// index is the group of each column, int32; nil where they follow from wide.
	index segment.Data
	// unordered says that an index with −1 in it is none, as compressed-tensors has it.
	unordered bool
	// post is a factor that the product is multiplied by, rounded once more; 0 for none.
	post float32
}

// codes reads codes of a matrix, a byte for each, row by row: those of the columns [col, col+n)
// of rows many rows. Where n is not all columns there is one row.
type codes interface {
	fetch(read segment.ReadFunc, s *scratch, dst []byte, row, rows, col, n int64) error
}

// table reads scales or zero points as float32: those of groups [group, group+n) in rows many
// rows of groups. Where n is not all groups there is one row.
type table func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, n int64) error

const (
	// chunk is the most codes that are decoded at a time.
	chunk = 256 << 10
	// piece is how many float32 lie in the nearest cache until they are narrowed.
	piece = 2048
	// mostIndexed is the most groups of a matrix with an index: scales of all of them are
	// read for any part of a row.
	mostIndexed = 1 << 16
	// shortRun is the length of runs with one scale that are no faster than single numbers.
	shortRun = 12
)

// scratch is the memory of one read, in proportion to a chunk.
type scratch struct {
	codes, raw, index []byte
	scales, zeros     []float32
	groups            []int32
	wide              [piece]float32
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// sized is b with n elements, whatever they are, in new memory where it has too little.
func sized[T any](b *[]T, n int64) []T {
	if int64(cap(*b)) < n {
		*b = make([]T, n)
	}
	return (*b)[:n]
}

// array is the matrix as a tensor of the given shape, which has as many elements.
func (m *matrix) array(shape ...int64) (ops.Array, error) {
	size, err := checkpoint.ByteSize(m.dtype, shape)
	if err != nil {
		return ops.Array{}, err
	}
	elem := int64(m.dtype.Bits() / 8)
	count := size / elem
	if m.rows*m.cols != count {
		return ops.Array{}, fmt.Errorf("%d × %d numbers are no %s %s", m.rows, m.cols, m.dtype, checkpoint.ShapeText(shape))
	}
	m.pad()
	data := &segment.Computed{N: count, Unit: elem, Make: func(read segment.ReadFunc, dst []byte, first int64) error {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		return m.fill(read, s, dst, first)
	}}
	return ops.Array{DType: m.dtype, Shape: shape, Data: data}, nil
}

// pad makes decoded of values.
func (m *matrix) pad() {
	if m.decoded == nil {
		m.decoded = new([256]float32)
		copy(m.decoded[:], m.values)
	}
}

// fill makes the elements from number first on.
func (m *matrix) fill(read segment.ReadFunc, s *scratch, dst []byte, first int64) error {
	elem := int64(m.dtype.Bits() / 8)
	for count := int64(len(dst)) / elem; count > 0; {
		row, col := first/m.cols, first%m.cols
		rows, n := int64(1), min(m.cols-col, count, chunk)
		if col == 0 && n == m.cols {
			rows = max(1, min(count/m.cols, chunk/m.cols, chunk/m.groups))
		}
		p := &part{m: m, s: s, dst: dst[:rows*n*elem], row: row, rows: rows, col: col, n: n}
		if err := p.make(read); err != nil {
			return err
		}
		dst, first, count = dst[rows*n*elem:], first+rows*n, count-rows*n
	}
	return nil
}

// part is columns [col, col+n) of some rows, in the making.
type part struct {
	m                 *matrix
	s                 *scratch
	dst               []byte
	row, rows, col, n int64

	firstRow, firstGroup, groups int64 // what was read of the tables
	scales, zeros                []float32
	index                        []int32 // nil where groups follow from wide
	scattered                    bool    // neighbours in index differ, mostly
	held                         int     // numbers in s.wide
}

func (p *part) make(read segment.ReadFunc) error {
	m, s := p.m, p.s
	codes := sized(&s.codes, p.rows*p.n)
	if err := m.codes.fetch(read, s, codes, p.row, p.rows, p.col, p.n); err != nil {
		return err
	}
	p.firstGroup, p.groups = p.col/m.wide, (p.col+p.n-1)/m.wide-p.col/m.wide+1
	if m.index != nil {
		p.firstGroup, p.groups = 0, m.groups
		if err := p.readIndex(read); err != nil {
			return err
		}
	}
	p.firstRow = p.row / m.tall
	tables := (p.row+p.rows-1)/m.tall - p.firstRow + 1
	p.scales = sized(&s.scales, tables*p.groups)
	if err := m.scales(read, s, p.scales, p.firstRow, tables, p.firstGroup, p.groups); err != nil {
		return err
	}
	if m.zeros != nil {
		p.zeros = sized(&s.zeros, tables*p.groups)
		if err := m.zeros(read, s, p.zeros, p.firstRow, tables, p.firstGroup, p.groups); err != nil {
			return err
		}
	}
	for i := range p.rows {
		p.decode(codes[i*p.n:][:p.n], (p.row+i)/m.tall-p.firstRow)
	}
	p.flush()
	return nil
}

// readIndex reads the groups of the columns, and holds each against the number of groups.
func (p *part) readIndex(read segment.ReadFunc) error {
	b := sized(&p.s.index, 4*p.n)
	if err := segment.Fill(read, p.m.index, b, 4*p.col); err != nil {
		return err
	}
	p.index = sized(&p.s.groups, p.n)
	changes := 0
	for i := range p.index {
		g := int32(le.Uint32(b[4*i:]))
		if g == -1 && p.m.unordered {
			p.index = nil
			return nil
		}
		if g < 0 || int64(g) >= p.m.groups {
			return fmt.Errorf("g_idx says that column %d is in group %d, and there are %d: the file is damaged", p.col+int64(i), g, p.m.groups)
		}
		p.index[i] = g
		if i > 0 && g != p.index[i-1] {
			changes++
		}
	}
	p.scattered = changes*shortRun > len(p.index)
	return nil
}

// decode makes one row, by runs of columns that have a scale together.
func (p *part) decode(codes []byte, table int64) {
	m := p.m
	scales := p.scales[table*p.groups:][:p.groups]
	var zeros []float32
	if p.zeros != nil {
		zeros = p.zeros[table*p.groups:][:p.groups]
	}
	if p.scattered || p.index == nil && m.wide == 1 {
		p.single(codes, scales, zeros)
		return
	}
	for at := 0; at < len(codes); {
		var g int64
		end := len(codes)
		if p.index != nil {
			g = int64(p.index[at])
			for end = at + 1; end < len(codes) && int64(p.index[end]) == g; end++ {
			}
		} else {
			k := p.col + int64(at)
			g = k/m.wide - p.firstGroup
			end = int(min(int64(end), (k/m.wide+1)*m.wide-p.col))
		}
		zero := float32(0)
		if zeros != nil {
			zero = zeros[g]
		}
		p.run(codes[at:end], scales[g], zero)
		at = end
	}
}

// run makes numbers of codes with one scale and one zero point.
func (p *part) run(codes []byte, scale, zero float32) {
	values := p.m.decoded
	for len(codes) > 0 {
		room := p.room(len(codes))
		some := codes[:len(room)]
		codes = codes[len(room):]
		done := 0
		if len(p.m.values) <= 16 {
			done = fastScaled(room, some, values, scale, zero)
		}
		multiply(room[done:], some[done:], values, scale, zero)
		scaleAll(room, p.m.post)
	}
}

// multiply computes the product of each code. It is the twin of fastScaled.
func multiply(dst []float32, codes []byte, values *[256]float32, scale, zero float32) {
	for ; len(codes) >= 4 && len(dst) >= 4; codes, dst = codes[4:], dst[4:] {
		dst[0], dst[1] = (values[codes[0]]-zero)*scale, (values[codes[1]]-zero)*scale
		dst[2], dst[3] = (values[codes[2]]-zero)*scale, (values[codes[3]]-zero)*scale
	}
	for i, c := range codes {
		dst[i] = (values[c] - zero) * scale
	}
}

// scaleAll multiplies by the last factor, where there is one.
func scaleAll(products []float32, post float32) {
	if post == 0 {
		return
	}
	for i := range products {
		products[i] *= post
	}
}

// single makes a row in which each column has a scale of its own, or that of its index.
func (p *part) single(codes []byte, scales, zeros []float32) {
	values := p.m.decoded
	for at := 0; at < len(codes); {
		room := p.room(len(codes) - at)
		some := codes[at:][:len(room)]
		if p.index == nil && zeros == nil {
			some, scales := some, scales[at:][:len(room)]
			for i := range room {
				room[i] = values[some[i]] * scales[i]
			}
		} else {
			for i, c := range some {
				g := at + i
				if p.index != nil {
					g = int(p.index[g])
				}
				zero := float32(0)
				if zeros != nil {
					zero = zeros[g]
				}
				room[i] = (values[c] - zero) * scales[g]
			}
		}
		scaleAll(room, p.m.post)
		at += len(room)
	}
}

// room is memory for the next float32, n at most.
func (p *part) room(n int) []float32 {
	if p.held == piece {
		p.flush()
	}
	n = min(n, piece-p.held)
	room := p.s.wide[p.held:][:n]
	p.held += n
	return room
}

// flush narrows what is held to its place in dst.
func (p *part) flush() {
	size := p.m.dtype.Bits() / 8
	ops.Narrow(p.dst[:p.held*size], p.s.wide[:p.held], p.m.dtype)
	p.dst, p.held = p.dst[p.held*size:], 0
}
