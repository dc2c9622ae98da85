package diff

import (
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Tensor is a tensor of one side.
type Tensor struct {
	// Key is that by which it is compared.
	Key string
	*checkpoint.Tensor
	// Source is the file that it is in.
	Source source.Source
}

// Pair is a tensor of each side.
type Pair struct {
	A, B Tensor
	// Verdict is what is known of the two, Unknown until they were compared.
	Verdict Verdict
	// Values is what differs, nil where that was not computed.
	Values *Values
}

// Verdict is what is known of the values of a pair.
type Verdict int

// The verdicts.
const (
	// Unknown values were not compared: because of the shapes, or not yet.
	Unknown Verdict = iota
	// Identical are the same bytes of the same file: they were not read.
	Identical
	// Equal are the same bytes, or, of different dtypes, the same values.
	Equal
	// OtherBits are equal values in other bytes: -0 for 0, another NaN.
	OtherBits
	// Close are values within the tolerances.
	Close
	// Changed are other values.
	Changed
)

// SameShape reports whether the values can be compared.
func (p *Pair) SameShape() bool { return slices.Equal(p.A.Shape, p.B.Shape) }

// Differs reports whether the pair is a difference: in dtype, in shape or in values.
func (p *Pair) Differs() bool {
	return p.A.DType != p.B.DType || !p.SameShape() || p.Verdict == Changed
}

// Prefix is what the keys of the pairs begin with in A, where those in B begin otherwise.
type Prefix struct {
	A, B string
	// Count is how many keys it explains.
	Count int
}

// Renamed is a tensor that has another key in B and the same bytes.
type Renamed struct{ A, B Tensor }

// Comparison is two sides, and what is known of them. It is not safe for concurrent use,
// but for Compare.
type Comparison struct {
	// Pairs are in the order of A.
	Pairs []*Pair
	// Removed are of A alone, Added of B, each in its order.
	Removed, Added []Tensor
	// Prefix is nil where keys are compared as they are.
	Prefix *Prefix
	// Renamed is what FindRenames found.
	Renamed []Renamed

	opt Options
	run runner
}

// Options are how values are compared.
type Options struct {
	// Atol and Rtol are the tolerances of numpy.allclose: a is close to b where
	// |a - b| <= Atol + Rtol * |b|. Without any, values are equal or not.
	Atol, Rtol float64
	// Brief stops at the first block of a tensor that differs, and computes nothing of it.
	Brief bool
}

func (o Options) tolerant() bool { return o.Atol > 0 || o.Rtol > 0 }

// New pairs the tensors of two sides. It reads nothing.
func New(a, b []Tensor, opt Options) *Comparison {
	c := &Comparison{opt: opt, run: newRunner()}
	byKey := make(map[string]int, len(b))
	for i, t := range b {
		byKey[t.Key] = i
	}
	paired := make([]bool, len(b))
	pair := func(t Tensor, key string) bool {
		i, ok := byKey[key]
		if !ok || paired[i] {
			return false
		}
		paired[i] = true
		c.Pairs = append(c.Pairs, newPair(t, b[i]))
		return true
	}
	for _, t := range a {
		if !pair(t, t.Key) {
			c.Removed = append(c.Removed, t)
		}
	}
	rest := func() {
		c.Added = nil
		for i, t := range b {
			if !paired[i] {
				c.Added = append(c.Added, t)
			}
		}
	}
	rest()
	if c.Prefix = findPrefix(c.Removed, c.Added); c.Prefix != nil {
		c.Removed = slices.DeleteFunc(c.Removed, func(t Tensor) bool {
			tail, ok := strings.CutPrefix(t.Key, c.Prefix.A)
			return ok && pair(t, c.Prefix.B+tail)
		})
		rest()
	}
	return c
}

func newPair(a, b Tensor) *Pair {
	p := &Pair{A: a, B: b}
	if sameFile(a, b) {
		p.Verdict = Identical
	}
	return p
}

// sameFile reports whether two tensors are one tensor of one file, by its inode, size and
// times or what else a source is pinned to.
func sameFile(a, b Tensor) bool {
	if a.Source == nil || b.Source == nil || a.Source.Identity() != b.Source.Identity() {
		return false
	}
	return a.Canonical().Key == b.Canonical().Key && a.DType == b.DType && slices.Equal(a.Shape, b.Shape)
}

// Differs reports whether anything differs, of what is known.
func (c *Comparison) Differs() bool {
	return len(c.Removed)+len(c.Added)+len(c.Renamed) > 0 || c.Prefix != nil ||
		slices.ContainsFunc(c.Pairs, (*Pair).Differs)
}
