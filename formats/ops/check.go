package ops

import (
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Counts are numbers that a cast does not keep.
type Counts struct {
	// Elements is how many numbers there are in all.
	Elements int64
	// NaN and Infinite are those that are so before the cast. An infinity becomes a number
	// where the dtype has none.
	NaN, Infinite int64
	// Overflow is finite numbers that are too large: they become infinities, ±448 in F8_E4M3,
	// or NaNs (see Overflow). Underflow is numbers other than 0 that become 0.
	Overflow, Underflow int64
}

// Add is the sum of both.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.Elements + d.Elements, c.NaN + d.NaN, c.Infinite + d.Infinite, c.Overflow + d.Overflow, c.Underflow + d.Underflow}
}

// Check reads all of data, and counts what a Cast from one dtype to another would not keep.
func Check(read segment.ReadFunc, data segment.Data, from, to checkpoint.DType) (Counts, error) {
	if _, err := Cast(data, from, to); err != nil { // which says why it cannot
		return Counts{}, err
	}
	ctx, _, err := segment.Manner(read)
	if err != nil {
		return Counts{}, err
	}
	width, count := int64(4), counter(to)
	if from == checkpoint.F64 {
		width, count = 8, counter64(to)
	} else if data, err = Cast(data, from, checkpoint.F32); err != nil {
		return Counts{}, err
	}
	buffer := operand.Get().(*[foldBytes]byte)
	defer operand.Put(buffer)
	c := Counts{Elements: data.Size() / width}
	for off := int64(0); off < c.Elements*width; {
		n := min(foldBytes, c.Elements*width-off)
		if err := segment.Fill(read, data, buffer[:n], off); err != nil {
			return c, err
		}
		count(&c, buffer[:n])
		off += n
		segment.Alive(ctx)
	}
	return c, nil
}

// bounds are the bits of the float32 that a dtype keeps: of the largest that becomes 0, and of
// the smallest that is too large.
func bounds(to checkpoint.DType) (zero, large uint32) {
	f, ok := formats[to]
	if !ok { // F32 itself
		return 0, infinity
	}
	zero = math.Float32bits(float32(math.Ldexp(1, -f.bias-f.mantissa))) // half of the smallest, a tie, goes to the even one
	if f.special == finite {
		return zero, math.Float32bits(beyondE4M3) + 1
	}
	most := uint32(1)<<f.exponent - 2 - uint32(f.bias) + 127
	return zero, most<<23 | (1<<(f.mantissa+1)-1)<<(22-f.mantissa)
}

// beyondE4M3 is the largest float32 that is not nearer to the number past the largest.
const beyondE4M3 = 464

func counter(to checkpoint.DType) func(c *Counts, b []byte) {
	zero, large := bounds(to)
	return func(c *Counts, b []byte) {
		least, span := zero+1, large-zero-1
		for ; len(b) >= 16; b = b[16:] { // mostly all four are kept
			v, w := le.Uint64(b)&^(1<<63|1<<31), le.Uint64(b[8:])&^(1<<63|1<<31)
			for _, u := range [4]uint32{uint32(v), uint32(v >> 32), uint32(w), uint32(w >> 32)} {
				if u-least >= span {
					c.count(u, zero)
				}
			}
		}
		for ; len(b) >= 4; b = b[4:] {
			if u := le.Uint32(b) &^ (1 << 31); u-least >= span {
				c.count(u, zero)
			}
		}
	}
}

// count is for a float32 without its sign that is not kept, or 0.
func (c *Counts) count(v, zero uint32) {
	switch {
	case v > infinity:
		c.NaN++
	case v == infinity:
		c.Infinite++
	case v > zero:
		c.Overflow++
	case v > 0:
		c.Underflow++
	}
}

// counter64 counts float64, which are rounded to float32 first.
func counter64(to checkpoint.DType) func(c *Counts, b []byte) {
	zero, large := bounds(to)
	return func(c *Counts, b []byte) {
		for ; len(b) >= 8; b = b[8:] {
			wide := math.Abs(math.Float64frombits(le.Uint64(b)))
			v := math.Float32bits(float32(wide))
			switch {
			case v == infinity && wide <= math.MaxFloat64:
				c.Overflow++
			case v == 0 && wide > 0:
				c.Underflow++
			case v-zero-1 >= large-zero-1:
				c.count(v, zero)
			}
		}
	}
}
