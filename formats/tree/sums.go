package tree

import (
	"context"
	"iter"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/digest"
	"wfs/formats/view"
)

// sumsName is the file of meta/ that holds the sums of raw/.
const sumsName = "SHA256SUMS"

// Raw goes over the files of raw/ by their paths ("raw/unet/conv.weight.bin"), in order.
func (t *Tree) Raw() iter.Seq2[string, *checkpoint.Tensor] {
	return func(yield func(string, *checkpoint.Tensor) bool) {
		if raw, ok := t.Root.Lookup("raw"); ok && raw.Dir != nil {
			raw.Dir.tensors("raw/", yield)
		}
	}
}

// tensors goes over the bare tensors of a directory and of those below it.
func (d *Dir) tensors(path string, yield func(string, *checkpoint.Tensor) bool) bool {
	for i := range d.Len() {
		name, n := d.Entry(i)
		if n.Dir != nil {
			if !n.Dir.tensors(path+name+"/", yield) {
				return false
			}
		} else if raw, ok := n.File.content.(*rawOf); ok && !yield(path+name, (*checkpoint.Tensor)(raw)) {
			return false
		}
	}
	return true
}

// sums is meta/SHA256SUMS: the files of raw/ as sha256sum lists them, for sha256sum -c in
// the root of the mount.
func (t *Tree) sums(p *view.Plan) *computed {
	digests := sync.OnceValue(func() *digest.Digests {
		return digest.New(digest.Bytes, func(yield func(*checkpoint.Tensor) bool) {
			for _, tensor := range t.Raw() {
				if !yield(tensor) {
					return
				}
			}
		})
	})
	size := sync.OnceValue(func() (total int64) {
		for path := range t.Raw() {
			total += digest.LineSize(path)
		}
		return total
	})
	return &computed{size: size, write: func(ctx context.Context) ([]byte, error) {
		sums := digests()
		if err := sums.Compute(ctx, nil); err != nil {
			return nil, err
		}
		if err := p.Verify(); err != nil {
			return nil, err
		}
		text := make([]byte, 0, size())
		for path, tensor := range t.Raw() {
			sum, _ := sums.Of(tensor)
			text = digest.Line{Sum: sum, Name: path}.AppendTo(text)
		}
		return text, nil
	}}
}
