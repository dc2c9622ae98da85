package diff

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/digest"
	"wfs/formats/segment"
)

// maxTries bounds the keys that are looked up to find a prefix: for any model it is found
// at the first tries.
const maxTries = 4_000_000

// findPrefix is the prefixes that make the keys of the smaller side those of the other, with
// the same shapes, or nil.
func findPrefix(a, b []Tensor) *Prefix {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	if len(a) > len(b) {
		if p := findPrefix(b, a); p != nil {
			return &Prefix{p.B, p.A, p.Count}
		}
		return nil
	}
	shapes := make(map[string][]int64, len(b))
	for _, t := range b {
		shapes[t.Key] = t.Shape
	}
	tries := 0
	seen := map[Prefix]bool{}
	for _, t := range b {
		if !slices.Equal(t.Shape, a[0].Shape) {
			continue
		}
		p, ok := prefixes(a[0].Key, t.Key)
		if !ok || seen[p] {
			continue
		}
		seen[p] = true
		fits := !slices.ContainsFunc(a, func(t Tensor) bool {
			tries++
			tail, ok := strings.CutPrefix(t.Key, p.A)
			if !ok || tries > maxTries {
				return true
			}
			shape, ok := shapes[p.B+tail]
			return !ok || !slices.Equal(shape, t.Shape)
		})
		if fits {
			p.Count = len(a)
			return &p
		}
		if tries > maxTries {
			break
		}
	}
	return nil
}

// prefixes is what two keys begin with before the parts that they have in common at their
// end, at least one. A part ends with a dot or a slash.
func prefixes(a, b string) (p Prefix, ok bool) {
	at := 0 // bytes at the end that are the same
	for at < len(a) && at < len(b) && a[len(a)-1-at] == b[len(b)-1-at] {
		at++
	}
	whole := func(key string) bool {
		return at == len(key) || strings.ContainsRune("./", rune(key[len(key)-1-at]))
	}
	for at > 0 && !(whole(a) && whole(b)) {
		at--
	}
	return Prefix{A: a[:len(a)-at], B: b[:len(b)-at]}, at > 0
}

// sample is how much of a tensor is read before it is worth reading all of it: tensors of
// one shape in different models differ in their first bytes.
const sample = 4 << 10

// start is what tensors have in common that can have the same bytes.
type start struct {
	dtype checkpoint.DType
	shape string
	bytes [sha256.Size]byte // the sum of the first of them
}

// FindRenames looks for tensors of A alone with the bytes of a tensor of B alone. It reads
// no tensor whose dtype and shape only one side has, and of the others no more than the
// first bytes where those differ. progress is as in digest.
func (c *Comparison) FindRenames(ctx context.Context, progress func(int64)) error {
	starts := map[*checkpoint.Tensor]start{}
	startOf := func(t Tensor) start { return starts[t.Canonical()] }
	for _, t := range slices.Concat(c.Removed, c.Added) {
		starts[t.Canonical()] = start{dtype: t.DType, shape: fmt.Sprint(t.Shape)}
	}
	a, b := common(c.Removed, c.Added, startOf)
	read, buffer := segment.ReadUntil(ctx), make([]byte, sample)
	for _, t := range slices.Concat(a, b) {
		s, p := startOf(t), buffer[:min(sample, t.Data.Size())]
		if s.bytes != [sha256.Size]byte{} || len(p) == 0 {
			continue
		}
		if err := segment.Fill(read, t.Data, p, 0); err != nil {
			return t.fail(err)
		}
		s.bytes = sha256.Sum256(p)
		starts[t.Canonical()] = s
	}
	a, b = common(a, b, startOf)
	sums := digest.New(digest.Tensors, func(yield func(*checkpoint.Tensor) bool) {
		for _, t := range slices.Concat(a, b) {
			if !yield(t.Tensor) {
				return
			}
		}
	})
	if err := sums.Compute(ctx, progress); err != nil {
		return err
	}
	bySum := func(tensors []Tensor) map[digest.Sum][]Tensor {
		all := map[digest.Sum][]Tensor{}
		for _, t := range tensors {
			sum, _ := sums.Of(t.Tensor)
			all[sum] = append(all[sum], t)
		}
		return all
	}
	inB := bySum(b)
	for sum, tensors := range bySum(a) {
		c.Renamed = append(c.Renamed, match(tensors, inB[sum])...)
	}
	slices.SortFunc(c.Renamed, func(x, y Renamed) int { return strings.Compare(x.A.Key, y.A.Key) })
	goneA, goneB := map[string]bool{}, map[string]bool{}
	for _, r := range c.Renamed {
		goneA[r.A.Key], goneB[r.B.Key] = true, true
	}
	c.Removed = slices.DeleteFunc(c.Removed, func(t Tensor) bool { return goneA[t.Key] })
	c.Added = slices.DeleteFunc(c.Added, func(t Tensor) bool { return goneB[t.Key] })
	return nil
}

// fail is an error of reading a tensor.
func (t Tensor) fail(err error) error {
	return fmt.Errorf("%s: tensor %.60q: %w", t.Source.Path(), t.Key, err)
}

// common is the tensors of which both lists have some.
func common[K comparable](a, b []Tensor, of func(Tensor) K) (inA, inB []Tensor) {
	in := func(list []Tensor) map[K]bool {
		all := map[K]bool{}
		for _, t := range list {
			all[of(t)] = true
		}
		return all
	}
	hasA, hasB := in(a), in(b)
	without := func(list []Tensor, has map[K]bool) []Tensor {
		return slices.DeleteFunc(slices.Clone(list), func(t Tensor) bool { return !has[of(t)] })
	}
	return without(a, hasB), without(b, hasA)
}

// maxMatched bounds the tensors of one content that are matched by their keys. More than
// that are all zeros, say, and are matched in their order.
const maxMatched = 200

// match pairs tensors that all have the same bytes: those first whose keys end alike.
func match(a, b []Tensor) (all []Renamed) {
	byKey := func(x, y Tensor) int { return strings.Compare(x.Key, y.Key) }
	slices.SortFunc(a, byKey)
	slices.SortFunc(b, byKey)
	if len(a) <= maxMatched && len(b) <= maxMatched {
		type scored struct{ i, j, alike int }
		var scores []scored
		for i, x := range a {
			for j, y := range b {
				p, _ := prefixes(x.Key, y.Key)
				scores = append(scores, scored{i, j, len(x.Key) - len(p.A)})
			}
		}
		slices.SortStableFunc(scores, func(x, y scored) int { return cmp.Compare(y.alike, x.alike) })
		usedA, usedB := make([]bool, len(a)), make([]bool, len(b))
		for _, s := range scores {
			if !usedA[s.i] && !usedB[s.j] {
				usedA[s.i], usedB[s.j] = true, true
				all = append(all, Renamed{a[s.i], b[s.j]})
			}
		}
		return all
	}
	for i := range min(len(a), len(b)) {
		all = append(all, Renamed{a[i], b[i]})
	}
	return all
}
