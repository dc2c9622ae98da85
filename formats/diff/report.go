package diff

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
)

// Kinds of entries.
const (
	KindRemoved   = "removed"   // only in A
	KindAdded     = "added"     // only in B
	KindRenamed   = "renamed"   // the same bytes under another key
	KindShape     = "shape"     // of other shapes: no values are compared
	KindDType     = "dtype"     // of other dtypes, with values that differ or not
	KindChanged   = "changed"   // other values
	KindClose     = "close"     // other values, within the tolerances
	KindBits      = "bits"      // equal values in other bytes
	KindEqual     = "equal"     // the same bytes
	KindIdentical = "identical" // the same bytes of the same file, which were not read
	KindUnread    = "unread"    // of equal dtype and shape, and not compared
)

// Entry is what is known of one key, as JSON has it.
type Entry struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// KeyB is the key in B where that is another.
	KeyB   string  `json:"key_b,omitempty"`
	DTypeA string  `json:"dtype_a,omitempty"`
	ShapeA []int64 `json:"shape_a,omitempty"`
	DTypeB string  `json:"dtype_b,omitempty"`
	ShapeB []int64 `json:"shape_b,omitempty"`
	// Verdict is what KindDType says of the values: KindEqual, KindClose, KindChanged, KindUnread.
	Verdict string       `json:"values_are,omitempty"`
	Values  *EntryValues `json:"values,omitempty"`
}

// EntryValues are Values as JSON has them.
type EntryValues struct {
	Elements  int64   `json:"elements"`
	Differing int64   `json:"differing"`
	Beyond    *int64  `json:"beyond_tolerance,omitempty"`
	MaxAbs    number  `json:"max_abs"`
	MaxAt     []int64 `json:"max_abs_at,omitempty"`
	MaxRel    number  `json:"max_rel"`
	MeanAbs   number  `json:"mean_abs"`
	MaxULP    *uint64 `json:"max_ulp,omitempty"`
	Cosine    number  `json:"cosine"`
	NaNA      int64   `json:"nan_a"`
	NaNB      int64   `json:"nan_b"`
	NaNBoth   int64   `json:"nan_both"`
	InfA      int64   `json:"inf_a"`
	InfB      int64   `json:"inf_b"`
	InfBoth   int64   `json:"inf_both"`
}

// number is a float64 that JSON has null for where it is not finite.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', 9, 64), nil
}

// kindOf is the kind of a pair; verdict is what else is said where that is not enough.
func (p *Pair) kindOf() (kind, verdict string) {
	kind = map[Verdict]string{
		Unknown: KindUnread, Identical: KindIdentical, Equal: KindEqual, OtherBits: KindBits, Close: KindClose, Changed: KindChanged,
	}[p.Verdict]
	switch {
	case !p.SameShape():
		return KindShape, ""
	case p.A.DType != p.B.DType:
		return KindDType, kind
	}
	return kind, ""
}

func (c *Comparison) entry(p *Pair) Entry {
	e := Entry{Key: p.A.Key}
	e.Kind, e.Verdict = p.kindOf()
	e.sides(&p.A, &p.B)
	if v := p.Values; v != nil {
		e.Values = &EntryValues{
			Elements: v.Elements, Differing: v.Differing, MaxAbs: number(v.MaxAbs), MaxRel: number(v.MaxRel), MeanAbs: number(v.MeanAbs), Cosine: number(v.Cosine),
			NaNA: v.NaNA, NaNB: v.NaNB, NaNBoth: v.NaNBoth, InfA: v.InfA, InfB: v.InfB, InfBoth: v.InfBoth,
		}
		if v.MaxAbs > 0 && len(p.A.Shape) > 0 {
			e.Values.MaxAt = place(v.MaxAt, p.A.Shape)
		}
		if c.opt.tolerant() {
			e.Values.Beyond = &v.Beyond
		}
		if d := commonDomain(p.A.DType, p.B.DType); d == asFloats || d == asComplex {
			e.Values.MaxULP = &v.MaxULP
		}
	}
	return e
}

func (e *Entry) sides(a, b *Tensor) {
	if a != nil {
		e.Key, e.DTypeA, e.ShapeA = a.Key, a.DType.String(), append([]int64{}, a.Shape...)
	}
	if b != nil {
		e.DTypeB, e.ShapeB = b.DType.String(), append([]int64{}, b.Shape...)
		switch {
		case a == nil:
			e.Key = b.Key
		case a.Key != b.Key:
			e.KeyB = b.Key
		}
	}
}

// place is the indices of the element at i in C order.
func place(i int64, shape []int64) []int64 {
	at := make([]int64, len(shape))
	for d, n := range slices.Backward(shape) {
		at[d] = i % max(1, n)
		i /= max(1, n)
	}
	return at
}

// Same reports whether an entry is no difference.
func (e Entry) Same() bool {
	return slices.Contains([]string{KindEqual, KindIdentical, KindBits, KindClose, KindUnread}, e.Kind)
}

// Entries are all keys of both sides, in the order that people count in.
func (c *Comparison) Entries() []Entry {
	var all []Entry
	for _, p := range c.Pairs {
		all = append(all, c.entry(p))
	}
	for _, t := range c.Removed {
		e := Entry{Kind: KindRemoved}
		e.sides(&t, nil)
		all = append(all, e)
	}
	for _, t := range c.Added {
		e := Entry{Kind: KindAdded}
		e.sides(nil, &t)
		all = append(all, e)
	}
	for _, r := range c.Renamed {
		e := Entry{Kind: KindRenamed}
		e.sides(&r.A, &r.B)
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(x, y Entry) int { return keys.Compare(x.Key, y.Key) })
	return all
}

// Counts is how many entries there are of each kind.
type Counts map[string]int

// Count counts entries.
func Count(entries []Entry) Counts {
	n := Counts{}
	for _, e := range entries {
		n[e.Kind]++
	}
	return n
}

// String is the counts in a line: "2 removed, 1 added, 12 changed, 130 equal".
func (n Counts) String() string {
	var parts []string
	for _, k := range []struct{ kind, text string }{
		{KindRemoved, "removed"}, {KindAdded, "added"}, {KindRenamed, "renamed"}, {KindShape, "of another shape"},
		{KindDType, "of another dtype"}, {KindChanged, "changed"}, {KindClose, "within tolerance"}, {KindBits, "equal in other bits"},
		{KindUnread, "not read"}, {KindIdentical, "identical"}, {KindEqual, "equal"},
	} {
		if n[k.kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[k.kind], k.text))
		}
	}
	if len(parts) == 0 {
		return "no tensors"
	}
	return strings.Join(parts, ", ")
}

// Text is an entry in a line, the key padded to a width. What a terminal would obey is
// escaped.
func (e Entry) Text(width int) string {
	var b strings.Builder
	key := keys.Visible(e.Key)
	fmt.Fprintf(&b, "%-9s  %s%s  ", e.Kind, key, strings.Repeat(" ", max(0, width-len([]rune(key)))))
	a, other := typeText(e.DTypeA, e.ShapeA), typeText(e.DTypeB, e.ShapeB)
	switch {
	case a == "":
		b.WriteString(other)
	case other == "" || a == other:
		b.WriteString(a)
	default:
		b.WriteString(a + " -> " + other)
	}
	if e.KeyB != "" {
		b.WriteString("  -> " + keys.Visible(e.KeyB))
	}
	if e.Verdict != "" {
		b.WriteString("  values " + map[string]string{KindUnread: "not compared"}[e.Verdict] + map[bool]string{true: e.Verdict}[e.Verdict != KindUnread])
	}
	if e.Values != nil {
		e.Values.text(&b)
	}
	return b.String()
}

func typeText(dtype string, shape []int64) string {
	if dtype == "" {
		return ""
	}
	return dtype + " " + checkpoint.ShapeText(shape)
}

func (v *EntryValues) text(b *strings.Builder) {
	g := func(n number) string {
		if math.IsNaN(float64(n)) {
			return "-"
		}
		return strconv.FormatFloat(float64(n), 'g', 6, 64)
	}
	if v.Elements == 0 {
		fmt.Fprintf(b, "  %d bytes differ, which wfs does not read as numbers", v.Differing)
		return
	}
	if v.Differing > 0 {
		fmt.Fprintf(b, "  %d of %d", v.Differing, v.Elements)
		if v.Beyond != nil {
			fmt.Fprintf(b, ", %d beyond tolerance", *v.Beyond)
		}
		fmt.Fprintf(b, ", max %s", g(v.MaxAbs))
		if v.MaxAt != nil {
			fmt.Fprintf(b, " at %s", checkpoint.ShapeText(v.MaxAt))
		}
		fmt.Fprintf(b, ", mean %s, rel %s", g(v.MeanAbs), g(v.MaxRel))
		if v.MaxULP != nil {
			fmt.Fprintf(b, ", ulp %d", *v.MaxULP)
		}
		fmt.Fprintf(b, ", cos %s", g(v.Cosine))
	}
	if v.NaNA+v.NaNB > 0 {
		fmt.Fprintf(b, ", NaN %d -> %d (%d at the same places)", v.NaNA, v.NaNB, v.NaNBoth)
	}
	if v.InfA+v.InfB > 0 {
		fmt.Fprintf(b, ", Inf %d -> %d (%d the same)", v.InfA, v.InfB, v.InfBoth)
	}
}

// longest is the longest that the entry of p can become.
func (c *Comparison) longest(p *Pair) Entry {
	e := c.entry(p)
	if p.Verdict != Unknown || !p.SameShape() {
		return e
	}
	count := newJob(p.A, p.B).count()
	low, ulp := number(-1.23456789e-308), uint64(math.MaxUint64)
	e.Values = &EntryValues{
		Elements: count, Differing: max(count, p.A.Data.Size()), Beyond: &count, MaxAbs: low, MaxAt: append([]int64{}, p.A.Shape...), MaxRel: low, MeanAbs: low, MaxULP: &ulp,
		Cosine: low, NaNA: count, NaNB: count, NaNBoth: count, InfA: count, InfB: count, InfBoth: count,
	}
	if e.Verdict != "" {
		e.Verdict = KindIdentical
	} else {
		e.Kind = KindIdentical
	}
	return e
}
